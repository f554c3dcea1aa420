// Cuts a text into passages that a model can read whole: paragraphs, joined while short and cut while long.

const LONGEST = 700; // characters, about 150 tokens

/**
 * @param {string} text
 * @returns {{ text: string, heading: string, line: number }[]} with the number of each passage's first line
 */
export function passagesOf(text) {
  const passages = [];
  let [heading, line, start, kept] = ['', 1, 1, ''];
  const keep = () => {
    for (const piece of pieces(kept.trim())) passages.push({ text: piece, heading, line: start });
    kept = '';
  };
  for (const paragraph of text.replaceAll('\r\n', '\n').split(/(?<=\n)[ \t]*\n/)) {
    const title = /^#{1,6} +(.+)$/m.exec(paragraph);
    if (title || kept.length + paragraph.length > LONGEST) keep();
    if (title) heading = title[1] ?? '';
    if (kept === '') start = line;
    kept += `${paragraph.replace(/^#{1,6} +.+$/gm, '').trim()}\n\n`;
    if (kept.trim() === '') kept = '';
    line += (paragraph.match(/\n/g)?.length ?? 0) + 1;
  }
  keep();
  return passages;
}

/**
 * A long paragraph at the ends of its sentences.
 * @param {string} text
 */
function pieces(text) {
  if (text.length <= LONGEST) return text === '' ? [] : [text];
  const sentences = text.match(new RegExp(`[^.!?]{1,${String(LONGEST - 2)}}[.!?]*\\s*`, 'g')) ?? [text];
  const joined = [''];
  for (const sentence of sentences) {
    const last = joined.at(-1) ?? '';
    if (last !== '' && last.length + sentence.length > LONGEST) joined.push(sentence);
    else joined[joined.length - 1] = last + sentence;
  }
  return joined.map((piece) => piece.trim()).filter((piece) => piece !== '');
}
