import { expect, it } from 'vitest';
import { penstock, run } from './penstock.ts';

interface PrintedEvent {
  class_uid: number;
  metadata: { version: string; uid: string };
}

it('prints one OCSF event a line and a summary, then ends by itself', async () => {
  const { code, stdout, stderr } = await run(['demo', '--for', '6s']);

  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as PrintedEvent);
  expect(code).toBe(0);
  expect(events.length).toBeGreaterThan(50);
  expect(events.every((event) => event.metadata.version === '1.8.0')).toBe(true);
  expect(new Set(events.map((event) => event.metadata.uid)).size).toBe(events.length);
  expect(stderr).toContain('duplicates filtered');
  expect(stderr).toMatch(/per class\n {2}\w/);
}, 40_000);

it.each(['SIGINT', 'SIGTERM'] as const)(
  'goes on until %s and then ends with 0 without waiting for its vendors',
  async (signal) => {
    const demo = penstock(['demo']);
    await demo.said('"class_uid"');
    const asked = performance.now();

    demo.child.kill(signal);
    const code = await demo.exited;

    expect(code).toBe(0);
    // A second on an idle machine; a loaded one gets more, but no vendor's or timer's wait fits in.
    expect(performance.now() - asked).toBeLessThan(5000);
  },
  40_000,
);
