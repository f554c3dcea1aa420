// Writes the failed batches of this folder, the same bytes every time: node __test__/replay/make_replay.mjs
// Text that is nasty but lawful: every string is valid Unicode, and an embedder must answer all of them.

import { writeFileSync } from 'node:fs';

/** Numbers from 0 to 1 that look random (mulberry32). */
const random = (() => {
  let state = 20;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
})();

/** @param {number} least @param {number} most */
const whole = (least, most) => least + Math.floor(random() * (most - least + 1));
/** @template T @param {readonly T[]} list @returns {T} */
const pick = (list) => /** @type {T} */ (list[whole(0, list.length - 1)]);
/** @param {number} count @param {(at: number) => string} make */
const lines = (count, make) => Array.from({ length: count }, (_, at) => make(at)).join('\n');
/** @param {string} alphabet @param {number} length */
const letters = (alphabet, length) => Array.from({ length }, () => pick(Array.from(alphabet))).join('');
/** Code points from `first` to `last` inclusive. @param {number} first @param {number} last */
const range = (first, last) => String.fromCodePoint(...Array.from({ length: last - first + 1 }, (_, at) => first + at));

const LATIN = range(0x61, 0x7a);
const BASE64 = `${range(0x41, 0x5a)}${LATIN}0123456789+/`;
const NAMES = [
  'pump',
  'valve, left',
  'bearing "B"',
  'hose',
  'Ölfilter',
  'joint|cross',
  'über-long part name',
  'n/a',
  '',
];
const WORDS = ['the', 'river', 'of', 'letters', 'carries', 'every', 'barge', 'past', 'seven', 'quiet', 'mills'];

/** One sentence in each of 15 scripts. */
const SCRIPTS = {
  latin: 'Příliš žluťoučký kůň úpěl ďábelské ódy, während der Straßenbahnfahrer über Zürich schwieg.',
  greek: 'Η βιβλιοθήκη ανοίγει στις εννέα το πρωί και κλείνει αργά το βράδυ.',
  cyrillic: 'Библиотека открывается в девять утра, а закрывается поздно вечером.',
  arabic: 'تفتح المكتبة أبوابها في التاسعة صباحًا وتغلق في ساعة متأخرة من المساء.',
  hebrew: 'הספרייה נפתחת בתשע בבוקר ונסגרת מאוחר בערב.',
  devanagari: 'पुस्तकालय सुबह नौ बजे खुलता है और देर शाम बंद होता है।',
  bengali: 'গ্রন্থাগার সকাল নয়টায় খোলে এবং সন্ধ্যায় বন্ধ হয়।',
  tamil: 'நூலகம் காலை ஒன்பது மணிக்குத் திறந்து மாலையில் மூடப்படும்.',
  thai: 'ห้องสมุดเปิดเวลาเก้าโมงเช้าและปิดตอนเย็น',
  georgian: 'ბიბლიოთეკა დილის ცხრა საათზე იხსნება და საღამოს იკეტება.',
  armenian: 'Գրադարանը բացվում է առավոտյան ժամը իննին և փակվում երեկոյան։',
  ethiopic: 'ቤተ መጻሕፍቱ ጠዋት ሦስት ሰዓት ላይ ይከፈታል፤ ማታ ይዘጋል።',
  hangul: '도서관은 아침 아홉 시에 열고 저녁 늦게 닫습니다.',
  han: '图书馆早上九点开门，晚上很晚才关门。圖書館早上九點開門。',
  kana: 'としょかんは あさ くじに ひらき、ヨル オソク シマリマス。ﾊﾝｶｸ も。',
};
const scripts = Object.values(SCRIPTS);

/** @param {string} separator @param {number} rows */
const table = (separator, rows) =>
  lines(rows, (at) =>
    [
      at,
      pick(NAMES),
      whole(-9999, 9999) / 100,
      `${String(whole(1, 28))}.${String(whole(1, 12))}.2024`,
      pick(NAMES),
    ].join(separator),
  );

/** @type {Record<string, () => string[]>} */
const BATCHES = {
  'tables-markdown': () =>
    Array.from({ length: 8 }, (_, at) =>
      [
        '| # | part | price | date | remark |',
        '|---|:-----|------:|:----:|--------|',
        lines(6 + 5 * at, () => `| ${table(' | ', 1)} |`),
        at % 2 ? '+----+----+\n|    |    |\n+----+----+' : '┌────┬────┐\n│ ░▒ │ ▓█ │\n└────┴────┘',
      ].join('\n'),
    ),
  'tables-separated': () => [
    table(',', 40),
    table('\t', 40),
    table(';', 30),
    table('\u0001', 20),
    '\t'.repeat(1500),
    ','.repeat(1500),
    `"${'""'.repeat(700)}"`,
    lines(60, () => letters('0123456789.,-e ', 30)),
  ],
  base64: () => [
    letters(BASE64, 4000),
    lines(30, () => letters(BASE64, 76)),
    `data:image/png;base64,iVBORw0KGgo${letters(BASE64, 2500)}==`,
    `-----BEGIN CERTIFICATE-----\n${lines(24, () => letters(BASE64, 64))}\n-----END CERTIFICATE-----`,
    `eyJhbGciOiJub25lIn0.${letters(`${LATIN}0123456789-_`, 900)}.`,
    letters('0123456789abcdef', 3000),
    lines(
      40,
      (at) => `${(16 * at).toString(16).padStart(8, '0')}  ${letters('0123456789abcdef', 32).replace(/../g, '$& ')}`,
    ),
  ],
  'source-code': () => [
    lines(
      25,
      (at) =>
        `${'  '.repeat(at % 9)}if (a[${String(at)}] !== b?.[${String(at)}]) { return a ?? b; } // TODO ${pick(WORDS)}`,
    ),
    lines(
      25,
      (at) =>
        `${'    '.repeat(at % 5)}def _f${String(at)}(*args, **kw): return {k: v for k, v in kw.items() if v is not None}`,
    ),
    lines(
      20,
      (at) =>
        `SELECT t${String(at)}.*, COUNT(1) FROM "t${String(at)}" LEFT JOIN u USING (id) WHERE x <> 'it''s' -- ${pick(WORDS)}`,
    ),
    lines(20, (at) => `pub fn f${String(at)}<'a, T: ?Sized + 'a>(x: &'a T) -> impl Fn() -> &'a T { move || x }`),
    lines(
      20,
      () => `s/\\(${letters(LATIN, 4)}\\)[^]]*$/\\1\\\\&/g;\t$_ =~ tr/a-zA-Z//cd; @{$h{\${x}}}[0..$#{$y}] <=> $@`,
    ),
    lines(30, () => '++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.>>.<-.<.+++.------.'),
    lines(
      18,
      (at) =>
        `template<class T,class=std::enable_if_t<(sizeof(T)>${String(at)})>>auto f(T&&t)->decltype(t.g()){return t<<${String(at)}>>1;}`,
    ),
    lines(15, (at) => `#define X${String(at)}(a,b) do{ if((a)##b) goto *(&&l${String(at)}); }while(0) \\`),
    '\tmov\t%rax, (%rdi,%rcx,8)\n'.repeat(60),
  ],
  minified: () => [
    `!function(e,t){${Array.from({ length: 120 }, () => `var ${letters(LATIN, 2)}=e.${letters(LATIN, 1)}||t[${String(whole(0, 999))}];`).join('')}}(this,0)`,
    JSON.stringify(Array.from({ length: 90 }, (_, at) => ({ id: at, n: pick(NAMES), v: [random(), null, true] }))),
    '['.repeat(1500) + ']'.repeat(1500),
    '<div><p>'.repeat(300) + '</p></div>'.repeat(300),
    `<svg><path d="M${Array.from({ length: 400 }, () => (random() * 100).toFixed(2)).join(' ')}z"/></svg>`,
    `.${Array.from({ length: 200 }, () => `${letters(LATIN, 6)}>a:not(.b)::after{content:"\\201C"}`).join('.')}`,
    Array.from({ length: 300 }, () => `${letters(LATIN, 5)}=%${letters('0123456789ABCDEF', 2)}`).join('&'),
  ],
  'scripts-alone': () =>
    scripts.map((sentence, at) => Array.from({ length: 4 + 2 * (at % 6) }, () => sentence).join(' ')),
  'scripts-mixed': () => [
    scripts.join(' '),
    scripts.join(''),
    Array.from(scripts.join('')).reverse().join(''),
    Array.from({ length: 400 }, () => pick(Array.from(pick(scripts)))).join(''),
    Array.from({ length: 120 }, (_, at) => `${SCRIPTS.arabic.slice(at % 9, 20)} ${SCRIPTS.latin.slice(0, 9)}`).join(
      ' ',
    ),
    `\u202e${SCRIPTS.latin}\u202c \u2067${SCRIPTS.hebrew}\u2069 \u061c${SCRIPTS.arabic}\u200f`,
    scripts.join('\n').normalize('NFD'),
    scripts.join('\n').normalize('NFKD').toUpperCase(),
    Array.from(SCRIPTS.han).join('\u200b').repeat(12),
  ],
  'control-characters': () => [
    range(0x00, 0x1f),
    range(0x7f, 0x9f),
    '\0',
    `before\0after${'\0'.repeat(600)}`,
    Array.from({ length: 300 }, () => `${pick(WORDS)}${String.fromCodePoint(whole(0, 31))}`).join(''),
    '\u001b[31mred\u001b[0m\u0007\b\b\b'.repeat(60),
    '\r\n\r\r\n\v\f\u0085\u2028\u2029'.repeat(80),
    `\ufeff${WORDS.join('\ufeff')}`,
    `${range(0xfdd0, 0xfdef)}\ufffe\uffff\u{1fffe}\u{10ffff}`,
    `${range(0xe000, 0xe0ff)}\u{f0000}\u{100000}`,
  ],
  'emoji-and-marks': () => [
    '👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇨🇭🇯🇵7️⃣'.repeat(40),
    '🇨'.repeat(301),
    Array.from(WORDS.join(' '))
      .map((letter) => letter + letters(range(0x300, 0x36f), 12))
      .join(''),
    `a${'\u0301'.repeat(2000)}`,
    'ﬁﬂﬃ ½ ² ℡ ㎏ ﷺ Ⅷ ① 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ｆｕｌｌ'.repeat(25),
    '\u200d\u200c\u2060\u00ad\u034f\u180e'.repeat(150),
    letters(range(0x1f600, 0x1f64f), 900),
    '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}'.repeat(50),
    '각'.normalize('NFD').repeat(300),
  ],
  'long-words': () => [
    'a'.repeat(10_000),
    letters(LATIN, 10_000),
    '漢'.repeat(10_000),
    `${'é'.repeat(4000)}\u0301`,
    letters('ACGT', 10_000),
    `${'ha'.repeat(3000)}!`,
    '9'.repeat(5000),
    `${'x'.repeat(101)} ${'y'.repeat(100)} ${'z'.repeat(99)}`,
  ],
  'white-space': () => [
    '',
    ' ',
    '\n',
    '\t\r\n ',
    ' '.repeat(4000),
    '\n'.repeat(3000),
    '\u00a0\u2000\u2003\u2009\u200a\u202f\u205f\u3000'.repeat(120),
    `${' '.repeat(1500)}${pick(WORDS)}${' '.repeat(1500)}`,
    WORDS.join(' '.repeat(200)),
    Array.from(WORDS.join('')).join(' ').repeat(10),
  ],
  'logs-and-paths': () => [
    lines(
      40,
      (at) =>
        `2024-02-30T25:61:${String(at).padStart(2, '0')}.${String(whole(0, 999))}Z [ERROR] (${String(whole(1, 9999))}) C:\\Temp\\${letters(LATIN, 8)}\\..\\NUL: 0x${letters('0123456789abcdef', 8)}`,
    ),
    lines(
      40,
      () =>
        `https://example.org/${letters(LATIN, 9)}?q=%F0%9F%98%80&${letters(LATIN, 3)}=${letters(BASE64, 12)}#:~:text=${pick(WORDS)}`,
    ),
    lines(40, () => `${letters(LATIN, 7)}.${letters(LATIN, 5)}+${pick(WORDS)}@sub.${letters(LATIN, 6)}.example`),
    lines(
      35,
      () =>
        `    at ${letters(LATIN, 9)} (/srv/${letters(LATIN, 6)}/index.js:${String(whole(1, 999))}:${String(whole(1, 99))})`,
    ),
    lines(60, () => Array.from({ length: 4 }, () => String(whole(0, 255))).join('.')),
    lines(40, () => letters('0123456789abcdef', 32).replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')),
    `/${Array.from({ length: 250 }, () => letters(LATIN, 6)).join('/')}`,
  ],
  'special-tokens': () => [
    '[CLS] [SEP] [PAD] [MASK] [UNK] <s> </s> <pad> <mask> <unk>',
    '[PAD]'.repeat(200),
    '<pad>'.repeat(200),
    '</s><s>'.repeat(300),
    '[MASK]<mask>'.repeat(100),
    '<|endoftext|><|im_start|>system\n<|im_end|>\u2581\u2581##ing ##ed Ġthe Ċ'.repeat(20),
    `passage: query: ${SCRIPTS.latin} [SEP] ${SCRIPTS.kana}`,
    '##'.repeat(800),
  ],
  markup: () => [
    `<!doctype html><script>alert("</script>")</script>${'&amp;&#0;&#x1F600;&nbsp;&zwj;'.repeat(40)}`,
    lines(
      30,
      () =>
        `\\frac{\\partial^${String(whole(1, 9))} f}{\\partial x_{${letters(LATIN, 2)}}} \\leq \\sum_{i=0}^{\\infty} \\binom{n}{i} % ${pick(WORDS)}`,
    ),
    `∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−f(a)|<ε; ∮E·dA=Q/ε₀; ℵ₀≤2^{ℵ₀} `.repeat(15),
    lines(
      30,
      (at) =>
        `${'#'.repeat(1 + (at % 6))} ${pick(WORDS)} **${pick(WORDS)}** _${pick(WORDS)}_ \`${pick(WORDS)}\` [x](${pick(WORDS)}.md "t")`,
    ),
    '%PDF-1.4\n%âãÏÓ\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n'.repeat(15),
    'Ã¼berÃ¤schung â€œquotesâ€\u009d Â£ ï»¿ ��� '.repeat(40),
    '.'.repeat(3000),
    '— … ― ‾ ‿ ⁂ § ¶ † ‡ ❦ '.repeat(50),
    Array.from({ length: 500 }, () => pick(WORDS)).join('-'),
  ],
  'uneven-lengths': () => [
    'a',
    Array.from({ length: 1700 }, () => pick(WORDS))
      .join(' ')
      .slice(0, 9000),
    '?',
    `${pick(WORDS)}.`,
    Array.from({ length: 400 }, () => pick(WORDS)).join(' '),
    '',
    '漢',
    Array.from({ length: 24 }, () => pick(scripts)).join('\n'),
    '-',
    Array.from({ length: 60 }, () => pick(WORDS)).join('  '),
    '👍',
  ],
};

let chunks = 0;
let characters = 0;
Object.entries(BATCHES).forEach(([name, make], at) => {
  const texts = make();
  const textLengths = texts.map((text) => text.length);
  const totalChars = textLengths.reduce((sum, length) => sum + length, 0);
  const batch = {
    timestamp: new Date(Date.UTC(2024, 0, 1 + at)).toISOString(),
    error: `Made for this test: ${name}`,
    chunkCount: texts.length,
    totalChars,
    estimatedTokens: Math.ceil(totalChars / 4),
    textLengths,
    texts,
  };
  // Escaped beyond ASCII, so that no editor or checkout changes a byte of it.
  const json = JSON.stringify(batch, null, 1).replace(
    /[^\n -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  writeFileSync(new URL(`${String(at + 1).padStart(2, '0')}-${name}.json`, import.meta.url), `${json}\n`);
  chunks += texts.length;
  characters += totalChars;
  for (const [index, text] of texts.entries()) {
    if (/\p{Surrogate}/u.test(text)) throw new Error(`${name}: text ${String(index)} is not valid Unicode`);
  }
});
console.log(`${String(Object.keys(BATCHES).length)} files, ${String(chunks)} chunks, ${String(characters)} characters`);
