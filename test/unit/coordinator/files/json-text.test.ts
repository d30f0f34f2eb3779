import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../../coordinator/files/json-text.ts';

const parse = (bytes: Uint8Array | string): unknown => parseJson(Buffer.from(bytes), 'a.json', 'config');
const VALUE = { run: 'Größe 尺寸', steps: 3 };
const TEXT = JSON.stringify(VALUE, null, 2);

describe('parseJson', () => {
  it.each([
    ['UTF-8', Buffer.from(TEXT)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${TEXT}`)],
    ['UTF-16 with one, little-endian', Buffer.from(`\ufeff${TEXT}`, 'utf16le')],
    ['UTF-16 with one, big-endian', Buffer.from(`\ufeff${TEXT}`, 'utf16le').swap16()],
    ['lines that end by CRLF, and a last one', Buffer.from(`${TEXT.replaceAll('\n', '\r\n')}\r\n`)],
  ])('reads %s', (_, bytes) => {
    expect(parse(bytes)).toEqual(VALUE);
  });

  it.each([
    ['Latin-1', Buffer.from('{"run":"Größe"}', 'latin1'), /^a\.json: expected JSON, got text that is not UTF-8/],
    ['half a UTF-16', Buffer.from('\ufeff{}', 'utf16le').subarray(0, 5), /not UTF-8/],
    ['nothing', '', /^a\.json: expected JSON, got an empty file$/],
    ['blanks', '\ufeff \r\n\t', /got an empty file$/],
    ['comments', '{\n  // of a run\n  "steps": 3\n}', /\(line 2[ )].*; JSON has no comments$/],
    ['a comment behind a value', '{"steps": 3, /* few */ "batch": 4}', /; JSON has no comments$/],
    ['a last comma', '{\n"steps": 3,\n}', /\(line 3[ )].*; JSON has no comma before \} or \]$/],
    ['single quotes', "{'steps': 3}", /; JSON has double quotes$/],
    ['UTF-16 without a mark', Buffer.from('{"a":1}', 'utf16le'), /got an error: /],
    ['zeros behind it', '{"steps":3}\0\0', /got an error: /],
    ['control characters', '\u001b[2J', /got an error: .*\\u001b\[2J/],
  ])('refuses %s in one line', (_, bytes, line) => {
    expect(() => parse(bytes)).toThrow(line);
    expect(() => parse(bytes)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringMatching(/^\P{Cc}{1,300}$/u) }),
    );
  });
});
