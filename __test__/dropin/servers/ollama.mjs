// A server that speaks as Ollama does, with one model: node ollama.mjs

import { serve, vectorOf } from './server.mjs';

const MODEL = 'bge-m3:latest';

serve(
  {
    'GET /api/tags': () => ({
      answer: { models: [{ name: MODEL, model: MODEL, digest: '7907646426070047a77226ac3e684fbb' }] },
    }),
    'POST /api/embed': ({ model, input }) => {
      const known = model === MODEL || model === MODEL.replace(':latest', '');
      if (!known) return { status: 404, answer: { error: 'model not found, try pulling it first' } };
      const texts = Array.isArray(input) ? input : [input];
      return { answer: { model, embeddings: texts.map((text) => vectorOf(text)), total_duration: 1 } };
    },
  },
  { embedPath: '/api/embed', port: 0 },
);
