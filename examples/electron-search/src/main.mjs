// The main process: one window, one engine, and messages handed from one to the other. Nothing here takes time.

import { join } from 'node:path';
import { app, BrowserWindow, dialog, ipcMain, utilityProcess } from 'electron';

const HERE = import.meta.dirname;

/** A packaged app has its model among its resources; from source it is named by SEARCH_MODEL. */
function modelFolder() {
  const { SEARCH_MODEL } = process.env;
  return SEARCH_MODEL ?? join(process.resourcesPath, 'model');
}

/** The engine lives in a utility process: if it crashed, the window would stay and say so. */
function startEngine() {
  const settings = { model: modelFolder(), store: join(app.getPath('userData'), 'index') };
  return utilityProcess.fork(join(HERE, 'engine.mjs'), [JSON.stringify(settings)], { serviceName: 'search engine' });
}

function openWindow() {
  const window = new BrowserWindow({
    width: 1080,
    height: 760,
    minWidth: 560,
    minHeight: 420,
    show: false,
    backgroundColor: '#f6f4ef',
    autoHideMenuBar: true,
    webPreferences: {
      preload: join(HERE, 'preload.cjs'),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
    },
  });
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
  window.webContents.on('will-navigate', (event) => {
    event.preventDefault();
  });
  window.once('ready-to-show', () => {
    window.show();
  });
  return window;
}

function start() {
  const window = openWindow();
  const engine = startEngine();

  /** What the window was told last of each kind: a window that is reloaded hears it again. @type {Map<string, unknown>} */
  const latest = new Map();

  /** @param {{ type: string }} message */
  function tell(message) {
    if (message.type !== 'results') latest.set(message.type, message);
    if (!window.isDestroyed()) window.webContents.send('engine', message);
  }

  engine.on('message', tell);
  engine.on('exit', (code) => {
    tell({ type: 'failed', message: `The search engine has ended (${String(code)}). Start the app again.` });
  });

  ipcMain.handle('choose-folder', async () => {
    const { filePaths } = await dialog.showOpenDialog(window, { properties: ['openDirectory'] });
    const [folder] = filePaths;
    if (folder) engine.postMessage({ type: 'index', folder });
  });
  ipcMain.on('search', (_, id, query) => {
    engine.postMessage({ type: 'search', id, query });
  });
  ipcMain.on('control', (_, action) => {
    if (['pause', 'resume', 'cancel'].includes(action)) engine.postMessage({ type: action });
  });
  ipcMain.on('hello', () => {
    for (const message of latest.values()) window.webContents.send('engine', message);
  });
  return window.loadFile(join(HERE, '..', 'window', 'index.html'));
}

app.on('window-all-closed', () => {
  app.quit();
});
// Not awaited: Electron is ready only when this module has been read to its end.
app.whenReady().then(start, console.error);
