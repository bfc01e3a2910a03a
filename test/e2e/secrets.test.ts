import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { configFile, penstock, run } from './penstock.ts';
import { startVendors } from './vendors.ts';

const marks = { HEC: 'marked-hec-token-7f3a91', BEARER: 'marked-bearer-55e0cc', HEADER: 'marked-header-2b8d40' };

async function everyByteBelow(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    names.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')),
  );
  return texts.join('\n');
}

it('writes no secret anywhere: not in logs, status, dead letters, journal or errors', async () => {
  const vendors = await startVendors(5);
  await using _simulator = vendors.simulator;
  // A receiver that echoes what it was sent, credentials included, and refuses.
  const echo = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(request.url === '/once' ? 400 : 403, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ text: `refused ${request.headers.authorization} ${String(request.headers['x-api-key'])}`, code: 4 }),
      );
    });
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`;
  const file = await configFile({
    log: { level: 'debug' },
    sources: vendors.sources,
    sinks: {
      splunk: { type: 'splunk_hec', endpoints: [origin], token: '${env:MARK_HEC}', hold_probe: '1s' },
      bearer: { type: 'http', url: `${origin}/held`, auth: { bearer: '${env:MARK_BEARER}' }, hold_probe: '1s' },
      letters: {
        type: 'http',
        url: `${origin}/once`,
        auth: { header: { name: 'x-api-key', value: '${env:MARK_HEADER}' } },
        batch: { events: 2 },
      },
    },
  });
  const env = { MARK_HEC: marks.HEC, MARK_BEARER: marks.BEARER, MARK_HEADER: marks.HEADER };

  const daemon = penstock(['run', '-c', file], { env });
  await daemon.said(/hold/i);
  const status = await run(['status', '--json', '-c', file], { env });
  const letters = await run(['dead-letters', 'list', '--json', '-c', file], { env });
  const check = await run(['check', '-c', file], { env });
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const written = await everyByteBelow(join(dirname(file), 'data'));

  echo.close();
  const simulated = ['simulated-client-secret', 'simulated-workspace-secret', 'simulated-workspace-token'];
  const secrets = [...Object.values(marks), ...simulated];
  const forms = secrets.flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('base64'),
    createHash('sha256').update(secret).digest('hex'),
  ]);
  const said = [
    daemon.stdout(),
    daemon.stderr(),
    ...[status, letters, check].flatMap(({ stdout, stderr }) => [stdout, stderr]),
    written,
  ].join('\n');
  expect(forms.filter((form) => said.includes(form))).toEqual([]);
  expect(letters.stdout.length + status.stdout.length).toBeGreaterThan(100);
}, 60_000);
