import { describe, expect, it } from 'vitest';
import { counted, escapeControls, show, toJson, toPrintable } from '../../../shared/printable.ts';

/** C0, DEL, C1 (CSI), line separator, byte order mark, right-to-left override, isolate, half of a pair, tag. */
const HOSTILE = [
  '\u0000',
  '\u001b[2J',
  '\u007f',
  '\u009b2J',
  '\u2028',
  '\ufeff',
  '\u202e',
  '\u2066',
  '\ud800',
  '\u{e0041}',
];

const isPlain = (text: string): boolean => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(text);

describe('escapeControls', () => {
  it.each(HOSTILE.map((text) => [JSON.stringify(text), text]))('escapes %s as JSON does', (_, text) => {
    const escaped = escapeControls(`a${text}b`);
    expect(isPlain(escaped)).toBe(true);
    expect(JSON.parse(`"${escaped}"`)).toBe(`a${text}b`);
  });

  it('leaves what is read alone', () => {
    const text = 'Größe 尺寸 размер حجم 🧠 "quoted" C:\\runs';
    expect(escapeControls(text)).toBe(text);
    expect(escapeControls('a\r\n\tb')).toBe('a\\r\\n\\tb');
  });
});

describe('toPrintable', () => {
  it('keeps the beginning and the end of a long text', () => {
    const text = toPrintable(`--run ${'x'.repeat(600e3)}: expected a folder`);
    expect(text.length).toBeLessThanOrEqual(1000);
    expect(text).toMatch(/^--run x+…\(600025 characters\)…x+: expected a folder$/);
  });

  it('is bounded when everything is escaped, and cuts no pair in two', () => {
    expect(toPrintable('\u001b'.repeat(5000)).length).toBeLessThanOrEqual(1000);
    const pairs = toPrintable('🧠'.repeat(5000), 99);
    expect(isPlain(pairs)).toBe(true);
    expect(pairs.length).toBeLessThan(120);
  });
});

describe('show', () => {
  it('is JSON, and says numbers and nothing in words', () => {
    expect(show('a"b')).toBe('"a\\"b"');
    expect(show({ a: [1, null, true] })).toBe('{"a":[1,null,true]}');
    expect([Number.POSITIVE_INFINITY, Number.NaN, undefined, 3n].map(show)).toEqual([
      'Infinity',
      'NaN',
      'nothing',
      '"3"',
    ]);
  });

  it.each([
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('bounds %s of 20,000 levels', (_, open, close) => {
    const value: unknown = JSON.parse(`${open.repeat(20_000)}1${close.repeat(20_000)}`);
    expect(show(value).length).toBeLessThanOrEqual(200);
    expect(show(value)).toContain('…');
  });

  it('bounds wide and long values, and escapes keys', () => {
    expect(show(Array(1e6).fill(1))).toBe(`[${Array(20).fill(1)}]`);
    expect(show('x'.repeat(1e6)).length).toBeLessThanOrEqual(200);
    expect(show({ '\u009b2J': '\u202e' })).toBe('{"\\u009b2J":"\\u202e"}');
  });
});

describe('toJson', () => {
  it('reads back as the same value, and has nothing that a terminal obeys', () => {
    const value = { [HOSTILE.join('')]: HOSTILE, text: 'a\nb' };
    for (const indent of [undefined, 2]) {
      const text = toJson(value, indent);
      expect(JSON.parse(text)).toEqual(value);
      expect(text.split('\n').every(isPlain)).toBe(true);
    }
    expect(toJson({ a: 1 }, 2)).toBe('{\n  "a": 1\n}');
  });
});

it('one of a thing has no plural', () => {
  expect([0, 1, 60_000].map((count) => counted(count, 'image'))).toEqual(['0 images', '1 image', '60,000 images']);
});
