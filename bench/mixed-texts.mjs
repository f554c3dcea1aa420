// Texts as they come: every script, 0 to 20,000 characters, duplicates, junk; the same for the same seed.

const SCRIPTS = [
  'the quick brown fox jumps over a lazy dog while 12 owls watch, unmoved. ',
  'Die Straße führt über den Fluss, größer als früher; éàçñøłžș — naïve façade. ',
  'Съешь ещё этих мягких французских булок, да выпей чаю. ',
  'Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί. ',
  'الثعلب البني السريع يقفز فوق الكلب الكسول. ',
  'השועל החום המהיר קופץ מעל הכלב העצלן. ',
  '敏捷的棕色狐狸跳过懒狗。人工智能改变世界。',
  '素早い茶色の狐はのろまな犬を飛び越える。カタカナも。',
  '다람쥐 헌 쳇바퀴에 타고파. ',
  'तेज़ भूरी लोमड़ी आलसी कुत्ते पर कूदती है। ',
  'สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ ',
  '😀👩‍👩‍👧‍👦🏳️‍🌈🇩🇪 👍🏽 ',
  'function f(x) { return x === 0 ? [] : { ...f(x - 1), "k\\n": null }; } // 0xDEADBEEF\n',
  '<div class="a">&amp;</div> https://example.org/?q=1&r=%20 a@b.cd \t\r\n',
  '\u0000\u0001\u001f\u007f\u200b\ufeff\ufffd\u202e\u0301\u0301\u0301',
];

/**
 * Numbers in [0, 1) that look random (mulberry32).
 * @param {number} seed
 * @returns {() => number}
 */
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** @param {() => number} random @param {number} below */
export const whole = (random, below) => Math.floor(random() * below);

/** Most are short, a few very long. @param {() => number} random */
function length(random) {
  const kind = random();
  if (kind < 0.03) return 0;
  if (kind < 0.6) return whole(random, 120);
  if (kind < 0.9) return whole(random, 1200);
  return whole(random, kind < 0.98 ? 5000 : 20_001);
}

/** Lone halves of surrogate pairs, which JavaScript's strings can hold. @param {() => number} random @param {number} size */
const junk = (random, size) => Array.from({ length: size }, () => String.fromCharCode(whole(random, 0x10000))).join('');

/**
 * The next of a series of texts.
 * @param {() => number} random
 * @param {string[]} earlier Texts of which some come again.
 * @returns {string}
 */
export function mixedText(random, earlier) {
  const again = earlier.length > 0 && random() < 0.1 ? earlier[whole(random, earlier.length)] : undefined;
  if (again !== undefined) return again;
  const size = length(random);
  if (random() < 0.03) return junk(random, Math.min(size, 2000));
  let text = '';
  while (text.length < size) {
    const script = SCRIPTS[whole(random, SCRIPTS.length)] ?? '';
    text += script.slice(whole(random, script.length / 2)).repeat(1 + whole(random, 4));
  }
  return text.slice(0, size);
}
