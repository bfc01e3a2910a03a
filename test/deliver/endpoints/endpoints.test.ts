import { expect, it } from 'vitest';
import type { Random } from '../../../src/base/random.ts';
import { Endpoints, type EndpointUse } from '../../../src/deliver/endpoints/endpoints.ts';
import { virtualClock } from '../../virtual-clock.ts';

const longestJitter: Random = { float: () => 0.999_999, hex: () => '00' };

function taken(endpoints: Endpoints): EndpointUse {
  const use = endpoints.take(false);
  if (use === undefined) throw new Error('no endpoint is usable');
  return use;
}

it('takes endpoints in turn', () => {
  const endpoints = new Endpoints(virtualClock(0), longestJitter, 60_000);
  endpoints.replace(['a', 'b']);

  expect([taken(endpoints), taken(endpoints), taken(endpoints)].map(({ endpoint }) => endpoint)).toEqual(['a', 'b', 'a']);
});

it('backs off from 1 s doubling to the maximum, without end', async () => {
  const clock = virtualClock(0);
  const endpoints = new Endpoints(clock, longestJitter, 5_000);
  endpoints.replace(['a']);

  const waits: (number | undefined)[] = [];
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const use = taken(endpoints);
    endpoints.fail(use);
    endpoints.release(use);
    waits.push(endpoints.waitMs());
    await clock.advance(endpoints.waitMs() ?? 0);
  }

  expect(waits).toEqual([999, 1999, 3999, 4999, 4999]);
});

it('counts the failures of requests that were under way together as one', () => {
  const clock = virtualClock(0);
  const endpoints = new Endpoints(clock, longestJitter, 60_000);
  endpoints.replace(['a']);
  const together = [taken(endpoints), taken(endpoints), taken(endpoints)];

  for (const use of together) endpoints.fail({ ...use, startedAt: use.startedAt - 1 });

  expect(endpoints.states()).toEqual([{ endpoint: 'a', failures: 1, backing_off_until: 999 }]);
});

it('waits as long as the endpoint asked, at most ten minutes', () => {
  const endpoints = new Endpoints(virtualClock(0), longestJitter, 60_000);
  endpoints.replace(['a', 'b']);

  endpoints.fail(taken(endpoints), 7_000);
  endpoints.fail(taken(endpoints), 86_400_000);

  expect(endpoints.states().map((state) => state.backing_off_until)).toEqual([7_000, 600_000]);
});

it('gives all requests to the endpoint that is up, and probes the other with a single one', async () => {
  const clock = virtualClock(0);
  const endpoints = new Endpoints(clock, longestJitter, 60_000);
  endpoints.replace(['a', 'b']);
  const failed = taken(endpoints);
  endpoints.fail(failed);
  endpoints.release(failed);
  const during = [taken(endpoints), taken(endpoints)].map(({ endpoint }) => endpoint);
  await clock.advance(1_000);

  const after = [taken(endpoints), taken(endpoints), taken(endpoints)].map(({ endpoint }) => endpoint);

  expect({ during, after }).toEqual({ during: ['b', 'b'], after: ['a', 'b', 'b'] });
});

it('is up again after a success of a request that began after the failure', async () => {
  const clock = virtualClock(0);
  const endpoints = new Endpoints(clock, longestJitter, 60_000);
  endpoints.replace(['a']);
  const early = taken(endpoints);
  await clock.advance(1);
  endpoints.fail(taken(endpoints));
  endpoints.succeed(early);
  const stillDown = endpoints.states();
  await clock.advance(1_000);
  endpoints.release(early);
  endpoints.release(early);

  endpoints.succeed(taken(endpoints));

  expect({ stillDown, up: endpoints.states() }).toEqual({
    stillDown: [{ endpoint: 'a', failures: 1, backing_off_until: 1_000 }],
    up: [{ endpoint: 'a', failures: 0 }],
  });
});

it('offers the endpoint that is back soonest when one must be had', () => {
  const endpoints = new Endpoints(virtualClock(0), longestJitter, 60_000);
  endpoints.replace(['a', 'b']);
  endpoints.fail(taken(endpoints), 9_000);
  endpoints.fail(taken(endpoints), 5_000);

  expect({ willing: endpoints.take(false), forced: endpoints.take(true)?.endpoint }).toEqual({ willing: undefined, forced: 'b' });
});

it('keeps what it knows of an endpoint over a reopening', () => {
  const endpoints = new Endpoints(virtualClock(0), longestJitter, 60_000);
  endpoints.replace(['a', 'b']);
  endpoints.fail(taken(endpoints));

  endpoints.replace(['a', 'c']);

  expect(endpoints.states()).toEqual([
    { endpoint: 'a', failures: 1, backing_off_until: 999 },
    { endpoint: 'c', failures: 0 },
  ]);
});

it('keeps the longest time that an endpoint asked for, until an operator wakes it', async () => {
  const clock = virtualClock(0);
  const endpoints = new Endpoints(clock, longestJitter, 60_000);
  endpoints.replace(['a']);
  const use = taken(endpoints);
  endpoints.rest(use, 60_000);
  endpoints.rest(use, 1_000);
  await clock.advance(2_000);

  const asked = endpoints.restMs;
  endpoints.wake();

  expect([asked, endpoints.restMs]).toEqual([58_000, 0]);
});
