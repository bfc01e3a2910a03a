import { expect, it } from 'vitest';
import { checkMap } from '../../src/event/index.ts';

it('reports every text that is no path, with its place', () => {
  const faults = checkMap({
    keep: ['meta', 'x.'],
    message: 'a..b',
    'actor.user.uid': ['actor.id', 'actor['],
    'actor.user.type_id': { from: ['ok', ''], values: { user: 1 } },
    'target.uid': 'target[type=User].id',
  });

  expect(faults.map(({ path, what }) => `${path.join('/')}: ${what}`)).toEqual([
    'keep/1: "x." is not a path',
    'message: "a..b" is not a path',
    'actor.user.uid/1: "actor[" is not a path',
    'actor.user.type_id/from/1: "" is not a path',
  ]);
});
