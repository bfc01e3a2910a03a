import { X509Certificate } from 'node:crypto';
import type net from 'node:net';
import tls from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { makeCertificates } from '../http/certificates.ts';
import { listen, uncount } from './receiver.ts';
import { batchOf, isPending, never, numbered, openSink } from './sink-bench.ts';

const certificates = makeCertificates();

describe('TLS', () => {
  afterAll(() => certificates[Symbol.dispose]());
  const identity = (name: string): tls.TlsOptions => ({
    key: certificates.read(`${name}.key`),
    cert: certificates.read(`${name}.pem`),
  });
  const ca_file = certificates.path('ca.pem');
  const pinOf = (name: string): string => new X509Certificate(certificates.read(`${name}.pem`)).fingerprint256;

  const answerTo = async (options: Record<string, unknown>, secure: tls.TlsOptions): Promise<unknown> => {
    await using receiver = await listen(undefined, secure);
    await using sink = await openSink(syslog, { address: `tls://localhost:${receiver.port}`, ...options });
    const answer = await sink.send(batchOf(sink, numbered(1)), never());
    if (!isPending(answer)) return answer;
    await sink.flush?.(never());
    return await answer.pending;
  };

  it('holds before a certificate that no known authority signed, and names the setting', async () => {
    const verdicts = await answerTo({}, identity('localhost'));

    expect(verdicts).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining('tls.ca_file') as string } });
  });

  it.each(
    ['127.0.0.1', '[::1]'].flatMap((host) => [
      { host, name: 'localhost', verdict: { kind: 'sent' } },
      {
        host,
        name: 'other',
        verdict: { kind: 'hold', fix: 'use a host name that stands in the certificate, or set tls.server_name to one' },
      },
    ]),
  )('compares the literal $host with the certificate of $name', async ({ host, name, verdict }) => {
    await using receiver = await listen(undefined, identity(name), 0, host.replace(/[[\]]/g, ''));
    await using sink = await openSink(syslog, { address: `tls://${host}:${receiver.port}`, tls: { ca_file } });

    const answer = await sink.send(batchOf(sink, numbered(1)), never());
    await sink.flush?.(never());

    const verdicts = isPending(answer) ? await answer.pending : answer;
    expect(verdicts).toMatchObject({ all: verdict });
    if ('fix' in verdict)
      expect(verdicts).toMatchObject({ all: { reason: expect.stringContaining(`tls://${host}:`) as string } });
  });

  it.each(['127.0.0.1', '[::1]'])('speaks RELP over TLS with the literal %s', async (host) => {
    const answers = (socket: net.Socket): void => {
      socket.on('data', (chunk: Buffer) => {
        for (const [, txnr] of chunk.toString('latin1').matchAll(/(?:^|\n)(\d+) (?:open|syslog|close) /g))
          socket.write(`${txnr} rsp 6 200 OK\n`);
      });
    };
    await using receiver = await listen(answers, identity('localhost'), 0, host.replace(/[[\]]/g, ''));
    await using sink = await openSink(syslog, { address: `relps://${host}:${receiver.port}`, tls: { ca_file } });

    expect(await sink.send(batchOf(sink, numbered(1)), never())).toEqual({ each: [{ kind: 'accept' }] });
  });

  it('takes the name to expect from tls.server_name', async () => {
    const verdicts = await answerTo({ tls: { ca_file, server_name: 'other.example' } }, identity('other'));

    expect(verdicts).toEqual({ all: { kind: 'sent' } });
  });

  it('accepts the pinned certificate', async () => {
    const verdicts = await answerTo({ tls: { ca_file, pin_sha256: pinOf('localhost') } }, identity('localhost'));

    expect(verdicts).toEqual({ all: { kind: 'sent' } });
  });

  it('accepts a certificate by its pin alone when the chain is not verified', async () => {
    const verdicts = await answerTo(
      { tls: { pin_sha256: pinOf('localhost'), insecure_skip_verify: true } },
      identity('localhost'),
    );

    expect(verdicts).toEqual({ all: { kind: 'sent' } });
  });

  it('holds before another certificate than the pinned one, and sends nothing', async () => {
    const verdicts = await answerTo({ tls: { ca_file, pin_sha256: pinOf('other') } }, identity('localhost'));

    expect(verdicts).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining('tls.pin_sha256') as string } });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'holds over %s when the receiver wants a client certificate that is missing',
    async (version) => {
      const secure = {
        ...identity('localhost'),
        requestCert: true,
        ca: certificates.read('ca.pem'),
        minVersion: version,
        maxVersion: version,
      };

      const verdicts = await answerTo({ tls: { ca_file } }, secure);

      expect(verdicts).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining('tls.cert_file') as string } });
    },
  );

  it('shows its client certificate', async () => {
    const secure = { ...identity('localhost'), requestCert: true, ca: certificates.read('ca.pem') };
    await using receiver = await listen(undefined, secure);
    const client = { cert_file: certificates.path('client.pem'), key_file: certificates.path('client.key') };
    await using sink = await openSink(syslog, { address: `tls://localhost:${receiver.port}`, tls: { ca_file, ...client } });

    await sink.send(batchOf(sink, numbered(1)), never());
    await sink.flush?.(never());

    const [connection] = receiver.connections;
    expect(connection?.socket).toMatchObject({ authorized: true });
    expect(uncount(connection?.bytes() ?? Buffer.alloc(0))).toHaveLength(1);
  });

  it('holds when the port does not speak TLS', async () => {
    await using receiver = await listen((socket) => socket.write('220 mail.example.com ESMTP\r\n'));
    await using sink = await openSink(syslog, { address: `tls://localhost:${receiver.port}` });

    const verdicts = await sink.send(batchOf(sink, numbered(1)), never());

    expect(verdicts).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining('speaks TLS') as string } });
  });

  it('retries when the handshake breaks off', async () => {
    await using receiver = await listen((socket) => socket.once('data', () => socket.destroy()));
    await using sink = await openSink(syslog, { address: `tls://localhost:${receiver.port}` });

    const verdicts = await sink.send(batchOf(sink, numbered(1)), never());

    expect(verdicts).toMatchObject({ all: { kind: 'retry' } });
  });

  it('does not open with a file that is missing', async () => {
    const open = openSink(syslog, { address: 'tls://localhost:6514', tls: { ca_file: '/nowhere/ca.pem' } });

    await expect(open).rejects.toMatchObject({
      code: 'PEN_CONFIG_INVALID',
      message: expect.stringContaining('tls.ca_file') as string,
    });
  });

  it('shows version, names and validity of the certificate in a probe', async () => {
    await using receiver = await listen(undefined, identity('localhost'));
    await using sink = await openSink(syslog, { address: `tls://localhost:${receiver.port}`, tls: { ca_file } });
    await using blind = await openSink(syslog, { address: `tls://localhost:${receiver.port}` });

    const report = await sink.probe(never());
    const failed = await blind.probe(never());

    expect(report).toMatchObject({ ok: true });
    expect(report.findings[1]).toMatch(/^TLSv1\.3, certificate for DNS:localhost.*, valid until .* \(\d+ days? left\)$/);
    expect(failed).toMatchObject({ ok: false, fix: expect.stringContaining('tls.ca_file') as string });
  });
});
