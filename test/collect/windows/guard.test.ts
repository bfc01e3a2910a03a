import { expect, it } from 'vitest';
import { PageGuard } from '../../../src/collect/windows/guard.ts';
import type { Page, PageState, RecordFacts } from '../../../src/connectors/connector.ts';

const facts = Array.from({ length: 3 }, (_, n) => ({ uid: `${n}`.repeat(32), fingerprint: 'f'.repeat(16) }) as RecordFacts);
const page = { records: [], next: null, total: 9 } as unknown as Page;

it.each<[number, string, PageState | null]>([
  [3, 'a first page', null],
  [3, 'an offset', { kind: 'offset', offset: 3 }],
  [3, 'a token that counts', { kind: 'token', token: '3', counts: true }],
  [0, 'a token', { kind: 'token', token: 'a' }],
  [0, 'a link', { kind: 'link', path: '/a' }],
])(
  'remembers %i of three records behind %s, where rows may move: a walk by token or link may be endless',
  (count, _place, asked) => {
    const guard = new PageGuard(null);

    guard.count(page, facts, asked);
    guard.count(page, facts, asked);

    expect([guard.distinct, guard.mostTotal]).toEqual([count, 9]);
  },
);
