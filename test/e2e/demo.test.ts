import { expect, it } from 'vitest';
import { fewOrAll } from '../thorough.ts';
import { penstock, run } from './penstock.ts';

interface PrintedEvent {
  class_uid: number;
  metadata: { version: string; uid: string };
}

it('prints one OCSF event a line and a summary, then ends by itself', async () => {
  const { code, stdout, stderr } = await run(['demo', '--for', '2s']);

  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as PrintedEvent);
  expect(code).toBe(0);
  expect(events.length).toBeGreaterThan(0);
  expect(events.every((event) => event.metadata.version === '1.8.0')).toBe(true);
  expect(new Set(events.map((event) => event.metadata.uid)).size).toBe(events.length);
  expect(stderr).toContain('duplicates filtered');
  expect(stderr).toMatch(/per class\n {2}\w/);
});

it.each(fewOrAll(1, ['SIGINT', 'SIGTERM'] as const))('goes on until %s and then ends with 0', async (signal) => {
  const demo = penstock(['demo']);
  await demo.said('"class_uid"');

  demo.child.kill(signal);

  expect(await demo.exited).toBe(0);
});
