import { X509Certificate } from 'node:crypto';
import http2 from 'node:http2';
import https from 'node:https';
import { setImmediate } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { PenstockError } from '../../src/base/errors.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { HttpClient, HttpClientSettings, HttpRequest } from '../../src/http/client.ts';
import { certificateFix, openHttpClient } from '../../src/http/index.ts';
import { makeCertificates } from './certificates.ts';
import { type ConnectProxy, listen, openProxy, serve } from './servers.ts';

const certificates = makeCertificates();
const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of disposables.splice(0).reverse()) await one[Symbol.asyncDispose]();
});
afterAll(() => certificates[Symbol.dispose]());

async function client(settings: Partial<HttpClientSettings> = {}, environment: Record<string, string> = {}): Promise<HttpClient> {
  const opened = await openHttpClient({ userAgent: 'x', ...settings }, systemSeams(), environment);
  disposables.push(opened);
  return opened;
}

const get = (url: string): HttpRequest => ({ method: 'GET', url: new URL(url), timeoutMs: 60_000, maxBytes: 1_000_000 });
const faultOf = async (promise: Promise<unknown>): Promise<PenstockError> =>
  (await promise.catch((error: unknown) => error)) as PenstockError;

describe('TLS', () => {
  const ca_file = certificates.path('ca.pem');
  const fingerprint = (name: string): string => new X509Certificate(certificates.read(name)).fingerprint256;

  async function secureServer(name = 'localhost', options: https.ServerOptions = {}): Promise<string> {
    const tls = { cert: certificates.read(`${name}.pem`), key: certificates.read(`${name}.key`), ...options };
    const listening = await listen(https.createServer(tls, (_request, response) => response.end('secure')));
    disposables.push(listening);
    return `https://localhost:${listening.port}/`;
  }

  it('trusts a private certificate authority', async () => {
    const http = await client({ tls: { ca_file } });

    const answer = await http.request(get(await secureServer()));

    expect(answer.body.toString()).toBe('secure');
  });

  it('refuses a certificate of an unknown authority and names the setting', async () => {
    const fault = await faultOf((await client()).request(get(await secureServer())));

    expect({ code: fault.code, sent: fault.sent, fix: fault.fix }).toEqual({
      code: 'PEN_HTTP_TLS',
      sent: false,
      fix: 'set tls.ca_file to the certificate authority that signed it, or tls.pin_sha256 to the fingerprint of one that signed itself',
    });
  });

  it('refuses a certificate for another name and names the setting', async () => {
    const fault = await faultOf((await client({ tls: { ca_file } })).request(get(await secureServer('other'))));

    expect(fault).toMatchObject({ code: 'PEN_HTTP_TLS', sent: false, fix: expect.stringContaining('tls.server_name') as string });
  });

  it('accepts a certificate for the configured server name', async () => {
    const http = await client({ tls: { ca_file, server_name: 'other.example' } });

    const answer = await http.request(get(await secureServer('other')));

    expect(answer.status).toBe(200);
  });

  it('takes any certificate when told to skip the check', async () => {
    const answer = await (await client({ tls: { insecure_skip_verify: true } })).request(get(await secureServer('other')));

    expect(answer.status).toBe(200);
  });

  it.each([
    ['the pinned certificate alone', () => ({ pin_sha256: fingerprint('localhost.pem') }), true],
    [
      'the pinned certificate in lower case, with its authority',
      () => ({ ca_file, pin_sha256: fingerprint('localhost.pem').replaceAll(':', '').toLowerCase() }),
      true,
    ],
    ['another pin', () => ({ pin_sha256: fingerprint('other.pem') }), false],
    [
      'another pin, even when checks are skipped',
      () => ({ insecure_skip_verify: true, pin_sha256: fingerprint('other.pem') }),
      false,
    ],
  ])('compares %s', async (_name, tls, isAccepted) => {
    const pending = (await client({ tls: tls() })).request(get(await secureServer()));

    if (isAccepted) await expect(pending).resolves.toMatchObject({ status: 200 });
    else
      await expect(pending).rejects.toMatchObject({
        code: 'PEN_HTTP_TLS',
        sent: false,
        fix: expect.stringContaining('tls.pin_sha256') as string,
      });
  });

  it('holds a pinned certificate to its authority and its name, too, where an authority is named', async () => {
    const tls = { ca_file, pin_sha256: fingerprint('other.pem') };

    const fault = await faultOf((await client({ tls })).request(get(await secureServer('other'))));

    expect(fault).toMatchObject({ code: 'PEN_HTTP_TLS', sent: false, fix: expect.stringContaining('tls.server_name') as string });
  });

  it('shows a client certificate', async () => {
    const url = await secureServer('localhost', { requestCert: true, rejectUnauthorized: true, ca: certificates.read('ca.pem') });
    const http = await client({
      tls: { ca_file, cert_file: certificates.path('client.pem'), key_file: certificates.path('client.key') },
    });

    const answer = await http.request(get(url));

    expect(answer.status).toBe(200);
  });

  it('names the settings when the server hangs up for want of a client certificate', async () => {
    const url = await secureServer('localhost', { requestCert: true, rejectUnauthorized: true, ca: certificates.read('ca.pem') });

    const fault = await faultOf((await client({ tls: { ca_file } })).request(get(url)));

    expect(fault).toMatchObject({
      code: 'PEN_HTTP_TLS',
      sent: false,
      message: `no TLS with ${new URL(url).origin}: tlsv13 alert certificate required (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)`,
      fix: expect.stringMatching(/^set tls\.cert_file/) as string,
    });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'names the settings when the server ends the connection over the client certificate without a word (%s)',
    async (version) => {
      using others = makeCertificates();
      const asks = { requestCert: true, rejectUnauthorized: true, ca: others.read('ca.pem'), maxVersion: version };
      const tls = { ca_file, cert_file: certificates.path('client.pem'), key_file: certificates.path('client.key') };

      const fault = await faultOf((await client({ tls })).request(get(await secureServer('localhost', asks))));

      expect(fault.fix).toBe(
        'if it always does so, the server may refuse us: set tls.cert_file and tls.key_file to a client certificate that the server trusts and that has not expired',
      );
    },
  );

  it.each([
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', /^set tls\.cert_file .* has not expired$/],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED', /^set tls\.cert_file/],
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN', /^set tls\.cert_file/],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', /^set tls\.cert_file/],
    ['ERR_SSL_SSL/TLS_ALERT_UNSUPPORTED_CERTIFICATE', /^set tls\.cert_file/],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', /^set tls\.cert_file/],
    ['ERR_SSL_TLSV1_ALERT_ACCESS_DENIED', /^set tls\.cert_file/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /^set tls\.cert_file/],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', /^set tls\.cert_file/],
    ['CERT_HAS_EXPIRED', /^renew the server's certificate/],
    ['CERT_NOT_YET_VALID', /^renew the server's certificate/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /tls\.server_name/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /^set tls\.ca_file/],
    ['CERT_SIGNATURE_FAILURE', /^set tls\.ca_file/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', undefined],
    ['ECONNRESET', undefined],
  ])("%s is somebody's certificate, and whose", (code, fix) => {
    if (fix === undefined) expect(certificateFix(code)).toBeUndefined();
    else expect(certificateFix(code)).toMatch(fix);
  });

  it('says so when the port does not speak TLS', async () => {
    const plain = await serve((_request, response) => response.end());
    disposables.push(plain);

    const fault = await faultOf((await client()).request(get(`https://localhost:${plain.port}/`)));

    expect(fault).toMatchObject({
      code: 'PEN_HTTP_TLS',
      sent: false,
      fix: expect.stringContaining('does not speak TLS') as string,
    });
  });

  it('does not speak HTTP/2 with a server that offers it', async () => {
    const server = http2.createSecureServer(
      { cert: certificates.read('localhost.pem'), key: certificates.read('localhost.key'), allowHTTP1: true },
      (request, response) => response.end(request.httpVersion),
    );
    const listening = await listen(server);
    disposables.push(listening);

    const answer = await (await client({ tls: { ca_file } })).request(get(`https://localhost:${listening.port}/`));

    expect(answer.body.toString()).toBe('1.1');
  });

  it.each([
    ['a missing file', { ca_file: '/nowhere/ca.pem' }, 'tls.ca_file: cannot read "/nowhere/ca.pem": ENOENT'],
    ['a file of another kind', { ca_file: certificates.path('ca.key') }, /^tls\.ca_file: ".*" holds no certificate in PEM form$/],
    ['half a client certificate', { cert_file: ca_file }, 'a client certificate needs both of its files'],
    ['a pin that is none', { pin_sha256: 'abc' }, 'tls.pin_sha256 is not a SHA-256 fingerprint'],
    [
      'a key that does not fit',
      { cert_file: certificates.path('client.pem'), key_file: certificates.path('other.key') },
      /^tls\.key_file: ".*" holds the key of another certificate$/,
    ],
  ])('refuses %s when it opens', async (_name, tls, message) => {
    const fault = await faultOf(openHttpClient({ userAgent: 'x', tls }, systemSeams(), {}));

    expect(fault.code).toBe('PEN_CONFIG_INVALID');
    expect(fault.message).toMatch(message);
  });

  describe('through a proxy', () => {
    async function proxy(credentials?: string): Promise<ConnectProxy> {
      const opened = await openProxy(credentials);
      disposables.push(opened);
      return opened;
    }

    it('tunnels TLS by CONNECT with credentials, end to end', async () => {
      const through = await proxy('us er:p@ss');
      const url = await secureServer();
      const http = await client({ tls: { ca_file }, proxy: `http://us%20er:p%40ss@127.0.0.1:${through.port}` });

      const answers = [await http.request(get(url))];
      // undici frees the connection after it has told us of the answer.
      await setImmediate();
      answers.push(await http.request(get(url)));

      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(through.seen).toEqual([`CONNECT ${new URL(url).host}`]);
    });

    it('checks the pin inside of the tunnel', async () => {
      const through = await proxy();
      const http = await client({ tls: { pin_sha256: fingerprint('other.pem') }, proxy: `http://127.0.0.1:${through.port}` });

      await expect(http.request(get(await secureServer()))).rejects.toMatchObject({ code: 'PEN_HTTP_TLS', sent: false });
    });

    it('writes an IPv6 address in brackets', async () => {
      const through = await proxy();
      const { port } = new URL(await secureServer());
      const http = await client({ tls: { ca_file }, proxy: `http://127.0.0.1:${through.port}` });

      // The certificate is for another name; what the proxy was asked for is what counts.
      await Promise.allSettled([http.openSocket?.(new URL(`wss://[::1]:${port}/`)), http.request(get(`https://[::1]:${port}/`))]);

      expect(through.seen).toEqual([`CONNECT [::1]:${port}`, `CONNECT [::1]:${port}`]);
    });

    it('opens sockets for other protocols the same way', async () => {
      const through = await proxy();
      const url = new URL(await secureServer());
      const http = await client({ tls: { ca_file }, proxy: `http://127.0.0.1:${through.port}` });

      const socket = (await http.openSocket?.(new URL(`wss://localhost:${url.port}/`))) as TLSSocket;

      expect([socket.authorized, through.seen]).toEqual([true, [`CONNECT localhost:${url.port}`]]);
      socket.destroy();
    });

    it('names the setting when the proxy wants credentials, and never shows those it has', async () => {
      const through = await proxy('user:right');
      const http = await client({ proxy: `http://user:wrong-password@127.0.0.1:${through.port}` });

      const fault = await faultOf(http.request(get(await secureServer())));

      expect(fault).toMatchObject({
        code: 'PEN_HTTP_UNREACHABLE',
        sent: false,
        status: 407,
        fix: expect.stringContaining('into proxy') as string,
      });
      expect(`${fault.message}${fault.fix}`).not.toContain('wrong-password');
    });

    it('sends plain requests whole, with the way described without credentials', async () => {
      const through = await proxy('user:secret');
      const target = await serve((request, response) => response.end(`${request.headers.host} ${request.url}`));
      disposables.push(target);
      const http = await client({ proxy: `http://user:secret@127.0.0.1:${through.port}` });

      const answer = await http.request(get(`http://127.0.0.1:${target.port}/a?b=1`));

      expect([answer.status, through.seen]).toEqual([200, [`GET http://127.0.0.1:${target.port}/a?b=1`]]);
      expect(http.describeRoute(new URL('https://example.com'))).toBe(`proxy http://127.0.0.1:${through.port} (proxy)`);
    });

    it('shows its password to no proxy whose certificate it does not know, whatever is pinned', async () => {
      const asked: (string | undefined)[] = [];
      const tls = { cert: certificates.read('localhost.pem'), key: certificates.read('localhost.key') };
      const proxyServer = https.createServer(tls);
      for (const event of ['request', 'connect'] as const)
        proxyServer.on(event, ({ headers }) => void asked.push(headers['proxy-authorization']));
      const stranger = await listen(proxyServer);
      disposables.push(stranger);
      const settings = { proxy: `https://user:proxy-secret@localhost:${stranger.port}` };

      for (const own of [{}, { tls: { pin_sha256: fingerprint('localhost.pem') } }])
        for (const url of ['https://example.com/', 'http://example.com/'])
          expect(await faultOf((await client({ ...settings, ...own })).request(get(url)))).toMatchObject({
            code: 'PEN_HTTP_TLS',
            sent: false,
          });

      expect(asked).toEqual([]);
    });

    it('is unreachable and unsent when the proxy is not there', async () => {
      const gone = await openProxy();
      await gone[Symbol.asyncDispose]();
      const http = await client({ proxy: `http://127.0.0.1:${gone.port}` });

      await expect(http.request(get('https://example.com/'))).rejects.toMatchObject({
        code: 'PEN_HTTP_UNREACHABLE',
        sent: false,
      });
    });
  });
});
