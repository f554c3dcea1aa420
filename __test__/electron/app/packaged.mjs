// The main process of a small app that is packaged: embeds with the model among its resources, and says what it found.

import { app } from 'electron';
import { join } from 'node:path';
import { Embedder } from 'sentence-embedder';

async function embed() {
  const model = join(process.resourcesPath, 'all-MiniLM-L6-v2');
  const embedder = await Embedder.load({ model, offline: true });
  const vector = await embedder.embedOne('a cat');
  await embedder.close();
  return { dimension: vector.length, inArchive: import.meta.dirname.endsWith('app.asar') };
}

app
  .whenReady()
  .then(embed)
  .then((seen) => {
    process.stdout.write(JSON.stringify(seen), () => {
      app.quit();
    });
  })
  .catch((/** @type {unknown} */ error) => {
    console.error(error);
    app.exit(1);
  });
