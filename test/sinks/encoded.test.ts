import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Encoded, joined, Slabs } from '../../src/sinks/encoded.ts';
import { fewOrMany } from '../thorough.ts';

const texts = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.nat({ max: 300_000 }).map((size) => 'ü'.repeat(size)),
    fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 4 }),
  ),
  {
    maxLength: 8,
  },
);

it('gives back every text, whole or in parts, alone and behind each other, wherever the slabs end', () => {
  fc.assert(
    fc.property(texts, texts, (some, more) => {
      const slabs = new Slabs();
      const pieces = some.map((text) => slabs.write(text));
      const others = more.map((text) => slabs.write(text));
      const encoded = new Encoded([...pieces, ...others]);
      const all = [...some, ...more].map((text) => joined(text).toWellFormed());
      const bytes = Buffer.alloc(encoded.byteLength + 2);

      const end = encoded.copyTo(bytes, 1);

      expect({ length: encoded.length, end }).toEqual({ length: all.length, end: bytes.length - 1 });
      expect(encoded.texts()).toEqual(all);
      expect(bytes.subarray(1, end).toString()).toBe(all.join(''));
      expect(encoded.bytes(1, 3).toString()).toBe(all.slice(1, 3).join(''));
    }),
    { numRuns: fewOrMany(20, 300) },
  );
});

it('gives those that are picked, in the order in which they are named', () => {
  const encoded = Encoded.of(['a', 'bü', 'c', 'd']).pick([3, 1]);

  expect(encoded.texts()).toEqual(['d', 'bü']);
  expect(encoded.bytes(0, 2).toString()).toBe('dbü');
  expect(encoded.bytesAt(1)).toEqual(Buffer.from('bü'));
});

it('keeps batches of about one size each in one slab, from the second on, and says where', () => {
  const slabs = new Slabs();
  const texts = Array.from({ length: 900 }, (_, index) => `${index} ${'x'.repeat(900)}`);
  const batch = (): Encoded => {
    slabs.begin();
    return new Encoded(texts.map((text) => slabs.write(text)));
  };

  const [, second, third] = [batch(), batch(), batch()];

  for (const encoded of [second, third]) expect(encoded?.inPlace?.toString()).toBe(texts.join(''));
});

it('puts what did not fit into one batch in front of the next one', () => {
  const slabs = new Slabs();
  const text = 'ü'.repeat(50_000);
  const waiting = [1, 2, 3].map((n) => slabs.write(`${n}${text}`))[2];
  if (waiting === undefined) throw new Error('nothing was written');

  slabs.begin();
  const encoded = new Encoded([slabs.copy(waiting), slabs.write('4')]);

  expect(encoded.inPlace?.toString()).toBe(`3${text}4`);
  expect(new Encoded([waiting]).texts()).toEqual([`3${text}`]);
});

it('lies in no place where it is in parts', () => {
  const [a, b, c] = ['a', 'b', 'c'].map(
    (
      (slabs) => (text: string) =>
        slabs.write(text)
    )(new Slabs()),
  );
  if (a === undefined || b === undefined || c === undefined) throw new Error('nothing was written');

  expect([new Encoded([a, b]).inPlace?.toString(), new Encoded([a, c]).inPlace, new Encoded([]).inPlace]).toEqual([
    'ab',
    undefined,
    undefined,
  ]);
});
