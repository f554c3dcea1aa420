// The page: sends what is typed, shows what comes back. It draws at most once a frame, however fast the engine reports.

const byId = (id) => document.getElementById(id);
const [query, results, took] = ['query', 'results', 'took'].map(byId);
const state = { ready: undefined, progress: undefined, asked: 0, shown: 0 };

/** An element with a class and its children, which are elements or plain text: nothing of a file is read as HTML. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function hint(title, text, className = '') {
  results.replaceChildren(element('div', `hint ${className}`, element('b', '', title), text));
}

const number = (value) => Math.round(value).toLocaleString('en');
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? '' : 's'}`;

function card({ text, heading, file, line, score }) {
  const place = element('span', '', ` · ${heading ? `${file}, ` : ''}line ${number(line)}`);
  const rounded = Math.max(0, Math.round(score * 100));
  const badge = element('div', score > 0.45 ? 'score strong' : 'score', String(rounded));
  badge.title = `Similarity ${score.toFixed(3)}`;
  const paragraphs = text.replace(/(?<!\n)\n(?!\n)/g, ' '); // as in Markdown: one line break is none
  return element(
    'article',
    score < 0.25 ? 'weak' : '',
    badge,
    element('div', '', element('h2', '', heading || file, place), element('p', '', paragraphs)),
  );
}

function ask() {
  const text = query.value.trim();
  state.asked += 1;
  if (text !== '') window.engine.search(state.asked, text);
  else showNothingAsked();
}

function showNothingAsked() {
  took.textContent = '';
  state.shown = state.asked;
  const passages = state.progress?.passages ?? state.ready?.passages ?? 0;
  if (passages > 0)
    hint(
      'What are you looking for?',
      `${plural(passages, 'passage')} can be searched. Use your own words: they need not be in the text.`,
    );
  else
    hint(
      'Search your own texts',
      'Choose a folder with notes, Markdown or plain text. It is read on this computer; nothing is sent anywhere.',
    );
}

const WORDS = { indexing: 'Indexing', paused: 'Paused', done: 'Indexed', cancelled: 'Stopped' };

function showProgress({ state: now, folder, file, files, filesTotal, passages, perSecond }) {
  byId('progress').hidden = false;
  byId('fill').style.width = `${filesTotal ? (files / filesTotal) * 100 : 0}%`;
  byId('state').textContent = `${WORDS[now]} ${folder.split(/[\\/]/).at(-1)}`;
  const speed = now === 'indexing' && passages > 0 ? ` · ${number(perSecond)} per second` : '';
  const where = file ? ` · ${file}` : '';
  byId('figures').textContent =
    `${number(files)} of ${plural(filesTotal, 'file')} · ${plural(passages, 'passage')}${speed}${where}`;
  const busy = now === 'indexing' || now === 'paused';
  byId('pause').hidden = byId('cancel').hidden = !busy;
  byId('pause').textContent = now === 'paused' ? 'Resume' : 'Pause';
  document.body.dataset.state = now;
}

let waiting = false;
function drawProgressSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    showProgress(state.progress);
    if (query.value.trim() === '') showNothingAsked();
  });
}

let lastSearch = 0;
const HEARD = {
  ready(message) {
    state.ready = message;
    const name = message.model.split(/[\\/]/).at(-1);
    byId('model').textContent = `${name} · ready in ${message.seconds.toFixed(1)} s`;
    byId('choose').disabled = query.disabled = false;
    query.focus();
    showNothingAsked();
  },
  progress(message) {
    state.progress = message;
    drawProgressSoon();
    // While the index grows, a standing question is asked again now and then.
    const settled = message.state === 'done' || message.state === 'cancelled';
    if (query.value.trim() !== '' && (settled || performance.now() - lastSearch > 1000)) {
      lastSearch = performance.now();
      ask();
    }
  },
  results({ id, results: found, milliseconds }) {
    if (id < state.shown || query.value.trim() === '') return; // an answer to an older question
    state.shown = id;
    took.textContent = `${milliseconds.toFixed(0)} ms`;
    if (found.length === 0) hint('Nothing yet', 'The index is empty: choose a folder first.');
    else results.replaceChildren(...found.map(card));
  },
  failed({ message }) {
    hint('Something went wrong', message, 'bad');
  },
};

query.addEventListener('input', () => {
  lastSearch = performance.now();
  ask();
});
byId('choose').addEventListener('click', () => void window.engine.chooseFolder());
byId('pause').addEventListener('click', () => {
  if (state.progress?.state === 'paused') window.engine.resume();
  else window.engine.pause();
});
byId('cancel').addEventListener('click', () => {
  window.engine.cancel();
});
window.engine.onMessage((message) => HEARD[message.type]?.(message));
