// What becomes of the daemon when something is wrong with who reads its standard output.
import { expect, it } from 'vitest';
import { untilStatus } from './conditions.ts';
import { configFile, penstock } from './penstock.ts';
import { startVendors } from './vendors.ts';

it('runs on when the reader of its standard output goes away: that sink holds, and the others deliver', async () => {
  await using vendors = (await startVendors(1)).simulator;
  const file = await configFile({
    sources: vendors.sources,
    sinks: { screen: { type: 'stdout' }, archive: { type: 'file', path: './archive.ndjson' } },
  });
  const daemon = penstock(['run', '-c', file]);
  daemon.child.stdout?.destroy();

  const { sinks } = await untilStatus(
    file,
    'a hold of one sink, and deliveries of the other',
    (status) =>
      status.sinks.some(({ name, hold }) => name === 'screen' && hold !== undefined) &&
      status.sinks.some(({ name, acknowledged }) => name === 'archive' && acknowledged > 0),
  );
  daemon.child.kill('SIGTERM');

  expect(sinks.find(({ name }) => name === 'screen')?.hold?.reason).toBe('nobody reads standard output any longer');
  expect(await daemon.exited).toBe(0);
});

it('ends when it is told to although nobody takes what it wrote', async () => {
  await using vendors = (await startVendors(2, {}, { ballast: 20_000 })).simulator;
  const file = await configFile({ shutdown_timeout: '1s', sources: vendors.sources, sinks: { screen: { type: 'stdout' } } });
  const daemon = penstock(['run', '-c', file]);
  daemon.child.stdout?.pause();
  await untilStatus(file, 'a request that stands still', ({ sinks }) => sinks.some(({ in_flight }) => in_flight > 0));

  const ended = new Promise((done) => daemon.child.once('exit', done));
  daemon.child.kill('SIGTERM');

  expect(await ended).toBe(0);
});
