import { expect, it } from 'vitest';
import { NotUtf8, utf8Text } from '../../src/base/file-text.ts';

const thrownBy = (bytes: Buffer): NotUtf8 => {
  try {
    return expect.fail(`read as ${utf8Text(bytes)}`);
  } catch (error) {
    if (error instanceof NotUtf8) return error;
    throw error;
  }
};

it.each(['', 'a: ü\n', '\ufeffa: 1\n', 'a: \u0000\n', '\u{1f600}'])('reads UTF-8, without its byte order mark: %j', (text) => {
  expect(utf8Text(Buffer.from(text))).toBe(text.replace('\ufeff', ''));
});

it.each([
  ['UTF-16', Buffer.from('\ufeffa: 1\n', 'utf16le'), 'the file is UTF-16 text, not UTF-8'],
  ['UTF-16', Buffer.from('\ufeffa: 1\n', 'utf16le').swap16(), 'the file is UTF-16 text, not UTF-8'],
  ['UTF-16', Buffer.from('name: vendor\n', 'utf16le'), 'the file is UTF-16 text, not UTF-8'],
  ['UTF-16', Buffer.from('name: vendor\n', 'utf16le').swap16(), 'the file is UTF-16 text, not UTF-8'],
  ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), 'the file is UTF-32 text, not UTF-8'],
])('says of %s what it is', (charset, bytes, message) => {
  expect(thrownBy(bytes)).toMatchObject({
    message,
    place: undefined,
    fix: `save it as UTF-8 in the editor ("Encoding: UTF-8"), or convert it: iconv -f ${charset} -t UTF-8 FILE > NEW`,
  });
});

it('says where the first byte stands that is none of UTF-8, and which charset it may be', () => {
  const bytes = Buffer.concat([Buffer.from('a: ä\nb: "é'), Buffer.from('für', 'latin1'), Buffer.from('"\n')]);

  const error = thrownBy(bytes);

  expect([error.message, error.place, error.placeIn('x.yaml')]).toEqual([
    'the file is not UTF-8 text: byte 14, in line 2, is none; it looks like Windows-1252 or Latin-1',
    { line: 2, column: 7 },
    'x.yaml:2:7',
  ]);
  expect(error.message).not.toContain('ü');
});

it.each([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]), Buffer.from([0x61, 0xc3]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xff])])(
  'finds the byte whatever the bytes are',
  (bytes) => {
    expect(thrownBy(bytes).place?.line).toBe(1);
  },
);
