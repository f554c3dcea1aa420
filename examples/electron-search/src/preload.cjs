// All that the page can do: five calls and one stream of messages. It sees no files, no Node and no other channel.

const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('engine', {
  chooseFolder: () => ipcRenderer.invoke('choose-folder'),
  search: (id, query) => ipcRenderer.send('search', Number(id), String(query)),
  pause: () => ipcRenderer.send('control', 'pause'),
  resume: () => ipcRenderer.send('control', 'resume'),
  cancel: () => ipcRenderer.send('control', 'cancel'),
  onMessage: (listener) => {
    ipcRenderer.on('engine', (_, message) => listener(message));
    ipcRenderer.send('hello');
  },
});
