import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { pageHtml, pagePolicy } from '../../src/admin/page.ts';

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

it('may run nothing but its own script and style, and ask nobody but its own server', () => {
  expect(pagePolicy).toMatch(
    /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  );
  expect(pageHtml).not.toMatch(/https?:|innerHTML|localStorage|sessionStorage|document\.cookie|\son\w+=/);
});

const status = {
  version: '0.1.0',
  at: Date.UTC(2026, 10, 21),
  uptime_seconds: 3700,
  sources: [{ name: 'feed', connector: 'vendor', state: 'idle', cursor_age_seconds: 75, records: { new: 1234 } }],
  sinks: [
    {
      name: 'soc',
      type: 'syslog',
      state: 'hold',
      lag_seconds: 7200,
      pending: 5,
      acknowledged: 2,
      unconfirmed: 1,
      dead_letters: 0,
    },
  ],
  problems: [{ level: 'error', where: 'sink soc', what: '<img src=x onerror=alert(1)>', fix: 'renew the certificate' }],
};

/** Serves the page with its policy, filled in and submitted by the test as a person would. */
async function serve(): Promise<string> {
  const typed = `<script nonce="test">addEventListener('load', () => { document.getElementById('token').value = 'secret-token'; document.getElementById('login').requestSubmit(); });</script>`;
  const server = http.createServer(({ url, headers }, response) => {
    if (url === '/status') {
      const isKnown = headers.authorization === 'Bearer secret-token' && headers.origin === undefined;
      response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify(isKnown ? status : {}));
      return;
    }
    const policy = pagePolicy.replace('script-src ', "script-src 'nonce-test' ");
    response
      .writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy })
      .end(pageHtml.replace('</body>', `${typed}</body>`));
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}

it.skipIf(browser === undefined)(
  `draws sources, sinks and what to look at in a browser${browser === undefined ? ' (no Chromium here)' : ''}`,
  async () => {
    const url = await serve();
    const profile = await fs.mkdtemp(join(os.tmpdir(), 'penstock-chromium-'));
    onTestFinished(() => fs.rm(profile, { recursive: true, force: true, maxRetries: 5 }));
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
    ];

    const { stdout } = await promisify(execFile)(
      browser ?? '',
      [...flags, '--disable-sync', `--user-data-dir=${profile}`, '--virtual-time-budget=4000', '--dump-dom', url],
      { timeout: 60_000, maxBuffer: 10_000_000 },
    );

    expect(stdout).toContain(
      '<td>feed</td><td>vendor</td><td class="ok">idle</td><td>1m 15s</td><td>never</td><td>never</td><td class="number">1,234</td>',
    );
    expect(stdout).toContain(
      '<td>soc</td><td>syslog</td><td class="error">hold</td><td>2h</td><td>never</td><td class="number">5</td>',
    );
    expect(stdout).toContain('sink soc: &lt;img src=x onerror=alert(1)&gt;<br><small>renew the certificate</small>');
  },
  90_000,
);
