import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Encoded, Slabs } from '../../src/sinks/encoded.ts';

const texts = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.nat({ max: 300_000 }).map((size) => 'ü'.repeat(size)),
  ),
  {
    maxLength: 8,
  },
);

it('gives back every text, alone and behind each other, wherever the slabs end', () => {
  fc.assert(
    fc.property(texts, texts, (some, more) => {
      const slabs = new Slabs();
      const pieces = some.map((text) => slabs.write(text));
      const others = more.map((text) => slabs.write(text));
      const encoded = new Encoded([...pieces, ...others]);
      const all = [...some, ...more].map((text) => text.toWellFormed());
      const bytes = Buffer.alloc(encoded.byteLength + 2);

      const end = encoded.copyTo(bytes, 1);

      expect({ length: encoded.length, end }).toEqual({ length: all.length, end: bytes.length - 1 });
      expect(encoded.texts()).toEqual(all);
      expect(bytes.subarray(1, end).toString()).toBe(all.join(''));
      expect(encoded.bytes(1, 3).toString()).toBe(all.slice(1, 3).join(''));
    }),
    { numRuns: 60 },
  );
});

it('gives those that are picked, in the order in which they are named', () => {
  const encoded = Encoded.of(['a', 'bü', 'c', 'd']).pick([3, 1]);

  expect(encoded.texts()).toEqual(['d', 'bü']);
  expect(encoded.bytes(0, 2).toString()).toBe('dbü');
  expect(encoded.bytesAt(1)).toEqual(Buffer.from('bü'));
});
