import { expect, it } from 'vitest';
import type { Random } from '../../src/base/random.ts';
import { type Claim, createEndpointPool, type EndpointPool } from '../../src/deliver/endpoints.ts';
import { virtualClock } from '../virtual-clock.ts';

const longestJitter: Random = { float: () => 0.999_999, hex: () => '00' };

function claimed(pool: EndpointPool): Claim {
  const claim = pool.claim(false);
  if (claim === undefined) throw new Error('no endpoint is usable');
  return claim;
}

it('takes endpoints in turn', () => {
  const pool = createEndpointPool(virtualClock(0), longestJitter, 60_000);
  pool.replace(['a', 'b']);

  expect([claimed(pool), claimed(pool), claimed(pool)].map(({ endpoint }) => endpoint)).toEqual(['a', 'b', 'a']);
});

it('backs off from 1 s doubling to the maximum, without end', async () => {
  const clock = virtualClock(0);
  const pool = createEndpointPool(clock, longestJitter, 5_000);
  pool.replace(['a']);

  const waits: (number | undefined)[] = [];
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const claim = claimed(pool);
    pool.fail(claim);
    pool.release(claim);
    waits.push(pool.waitMs());
    await clock.advance(pool.waitMs() ?? 0);
  }

  expect(waits).toEqual([999, 1999, 3999, 4999, 4999]);
});

it('counts the failures of requests that were under way together as one', () => {
  const clock = virtualClock(0);
  const pool = createEndpointPool(clock, longestJitter, 60_000);
  pool.replace(['a']);
  const together = [claimed(pool), claimed(pool), claimed(pool)];

  for (const claim of together) pool.fail({ ...claim, startedAt: claim.startedAt - 1 });

  expect(pool.states()).toEqual([{ endpoint: 'a', failures: 1, backing_off_until: 999 }]);
});

it('waits as long as the endpoint asked, at most ten minutes', () => {
  const pool = createEndpointPool(virtualClock(0), longestJitter, 60_000);
  pool.replace(['a', 'b']);

  pool.fail(claimed(pool), 7_000);
  pool.fail(claimed(pool), 86_400_000);

  expect(pool.states().map((state) => state.backing_off_until)).toEqual([7_000, 600_000]);
});

it('gives all requests to the endpoint that is up, and probes the other with a single one', async () => {
  const clock = virtualClock(0);
  const pool = createEndpointPool(clock, longestJitter, 60_000);
  pool.replace(['a', 'b']);
  const failed = claimed(pool);
  pool.fail(failed);
  pool.release(failed);
  const during = [claimed(pool), claimed(pool)].map(({ endpoint }) => endpoint);
  await clock.advance(1_000);

  const after = [claimed(pool), claimed(pool), claimed(pool)].map(({ endpoint }) => endpoint);

  expect({ during, after }).toEqual({ during: ['b', 'b'], after: ['a', 'b', 'b'] });
});

it('is up again after a success of a request that began after the failure', async () => {
  const clock = virtualClock(0);
  const pool = createEndpointPool(clock, longestJitter, 60_000);
  pool.replace(['a']);
  const early = claimed(pool);
  await clock.advance(1);
  pool.fail(claimed(pool));
  pool.succeed(early);
  const stillDown = pool.states();
  await clock.advance(1_000);
  pool.release(early);
  pool.release(early);

  pool.succeed(claimed(pool));

  expect({ stillDown, up: pool.states() }).toEqual({
    stillDown: [{ endpoint: 'a', failures: 1, backing_off_until: 1_000 }],
    up: [{ endpoint: 'a', failures: 0 }],
  });
});

it('offers the endpoint that is back soonest when one must be had', () => {
  const pool = createEndpointPool(virtualClock(0), longestJitter, 60_000);
  pool.replace(['a', 'b']);
  pool.fail(claimed(pool), 9_000);
  pool.fail(claimed(pool), 5_000);

  expect({ willing: pool.claim(false), forced: pool.claim(true)?.endpoint }).toEqual({ willing: undefined, forced: 'b' });
});

it('keeps what it knows of an endpoint over a reopening', () => {
  const pool = createEndpointPool(virtualClock(0), longestJitter, 60_000);
  pool.replace(['a', 'b']);
  pool.fail(claimed(pool));

  pool.replace(['a', 'c']);

  expect(pool.states()).toEqual([
    { endpoint: 'a', failures: 1, backing_off_until: 999 },
    { endpoint: 'c', failures: 0 },
  ]);
});
