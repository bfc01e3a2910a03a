import { expect, it } from 'vitest';
import type { Verdicts } from '../../src/sinks/sink.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { freePort } from '../free-port.ts';
import { makeCertificates } from '../http/certificates.ts';
import { howToInstall, rsyslogd, rsyslogHas, startRsyslog, startSyslogNg, syslogNg } from './real-receivers.ts';
import { batchOf, isPending, kindsOf, never, numbered, openSink, outgoing, until } from './sink-bench.ts';

const certificates = makeCertificates();
const tlsFiles = { ca_file: certificates.path('ca.pem') };
const bodies = [
  '{"a":"héllo ✓ \\"q\\" \\\\ ]"}',
  'CEF:0|v|p|1|e|n|3|msg=a\\=b\\nc',
  'x'.repeat(20_000),
  '{"emoji":"😀"}',
  '125 <110>1 forged',
];
const events = bodies.map((body, index) => outgoing({ uid: `u${index}`, body, source: 'a "b" ]c\\', severity: 5 - index }));

interface Dumped {
  readonly facility: string;
  readonly severity: string;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly pid: string;
  readonly msgid: string;
  readonly msg: string;
}

const severities = ['2', '3', '4', '5', '6'];
const expected: Dumped[] = bodies.map((msg, index) => ({
  facility: '13',
  severity: severities[index] ?? '',
  time: '2026-11-21T09:45:00.123',
  host: 'host1',
  app: 'penstock',
  pid: String(process.pid),
  msgid: 'user.login',
  msg,
}));

function fromRsyslog(line: string): Dumped & { readonly sd: string } {
  const read = JSON.parse(line) as Record<string, string>;
  return {
    facility: read['syslogfacility'] ?? '',
    severity: read['syslogseverity'] ?? '',
    time: (read['timereported'] ?? '').slice(0, 23),
    host: read['hostname'] ?? '',
    app: read['app-name'] ?? '',
    pid: read['procid'] ?? '',
    msgid: read['msgid'] ?? '',
    msg: read['msg'] ?? '',
    sd: read['structured-data'] ?? '',
  };
}

const withoutSd = ({ sd: _sd, ...rest }: Dumped & { readonly sd: string }): Dumped => rest;
const expectedSd = bodies.map(
  (_, index) => `[meta sequenceId="${index + 1}"][penstock@32473 uid="u${index}" source="a \\"b\\" \\]c\\\\"]`,
);

const rsyslogInputs = [
  {
    name: 'imtcp with octet counting',
    scheme: 'tcp',
    framing: 'octet_counting',
    conf: (port: number) => `module(load="imtcp") input(type="imtcp" port="${port}" address="127.0.0.1")`,
  },
  {
    name: 'imtcp with line feeds',
    scheme: 'tcp',
    framing: 'lf',
    conf: (port: number) => `module(load="imtcp") input(type="imtcp" port="${port}" address="127.0.0.1")`,
  },
  {
    name: 'imptcp with octet counting',
    scheme: 'tcp',
    framing: 'octet_counting',
    conf: (port: number) => `module(load="imptcp") input(type="imptcp" port="${port}" address="127.0.0.1")`,
  },
  {
    name: 'imrelp',
    scheme: 'relp',
    framing: undefined,
    conf: (port: number) => `module(load="imrelp") input(type="imrelp" port="${port}" address="127.0.0.1" maxDataSize="128k")`,
  },
  {
    name: 'imtcp over TLS (gtls)',
    scheme: 'tls',
    framing: undefined,
    conf: (port: number) =>
      `module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon") input(type="imtcp" port="${port}" address="127.0.0.1")`,
  },
  {
    name: 'imrelp over TLS',
    scheme: 'relps',
    framing: undefined,
    conf: (port: number) =>
      `module(load="imrelp" tls.tlslib="openssl") input(type="imrelp" port="${port}" address="127.0.0.1" maxDataSize="128k" tls="on" tls.authMode="certvalid" tls.caCert="${certificates.path('ca.pem')}" tls.myCert="${certificates.path('localhost.pem')}" tls.myPrivKey="${certificates.path('localhost.key')}")`,
  },
] as const;

const drivers = `defaultNetstreamDriverCAFile="${certificates.path('ca.pem')}" defaultNetstreamDriverCertFile="${certificates.path('localhost.pem')}" defaultNetstreamDriverKeyFile="${certificates.path('localhost.key')}"`;

for (const { name, scheme, framing, conf } of rsyslogInputs) {
  const isTls = scheme === 'tls' || scheme === 'relps';
  const module = scheme.startsWith('relp') ? 'imrelp' : scheme === 'tls' ? 'lmnsd_gtls' : 'imtcp';
  const isThere = rsyslogd !== undefined && rsyslogHas(module);
  it.skipIf(!isThere)(`reaches rsyslog's ${name} field by field (${howToInstall})`, async () => {
    const port = await freePort();
    await using receiver = await startRsyslog(conf(port), port, scheme === 'tls' ? drivers : '');
    const client =
      scheme === 'relps' ? { cert_file: certificates.path('client.pem'), key_file: certificates.path('client.key') } : {};
    await using sink = await openSink(syslog, {
      address: `${scheme}://localhost:${port}`,
      max_message: '64KiB',
      ...(framing === undefined ? {} : { framing }),
      ...(isTls ? { tls: { ...tlsFiles, ...client } } : {}),
    });

    const answer = await sink.send(batchOf(sink, events), never());
    await sink.flush?.(never());
    const verdicts = isPending(answer) ? await answer.pending : answer;

    const kind = scheme.startsWith('relp') ? 'accept' : 'sent';
    expect(kindsOf(verdicts, events.length)).toEqual(events.map(() => kind));
    const lines = await until(
      () => receiver.lines(),
      (found) => found.length >= events.length,
    );
    expect(lines.map(fromRsyslog).map(withoutSd)).toEqual(expected);
    expect(lines.map((line) => fromRsyslog(line).sd)).toEqual(expectedSd);
  });
}

it.skipIf(rsyslogd === undefined)(`reaches rsyslog's imudp field by field (${howToInstall})`, async () => {
  const port = await freePort();
  const tcp = await freePort();
  await using receiver = await startRsyslog(
    `module(load="imudp") input(type="imudp" port="${port}" address="127.0.0.1") module(load="imtcp") input(type="imtcp" port="${tcp}" address="127.0.0.1")`,
    tcp,
  );
  await using sink = await openSink(syslog, { address: `udp://127.0.0.1:${port}` });
  const small = events.filter(({ body }) => body.length < 1000);

  await expect(sink.send(batchOf(sink, small), never())).resolves.toEqual({ each: small.map(() => ({ kind: 'sent' })) });

  const lines = await until(
    () => receiver.lines(),
    (found) => found.length >= small.length,
  );
  expect(lines.map(fromRsyslog).map(withoutSd)).toEqual(expected.filter(({ msg }) => msg.length < 1000));
});

it.skipIf(rsyslogd === undefined)(`is understood by rsyslog with rfc 3164 (${howToInstall})`, async () => {
  const port = await freePort();
  await using receiver = await startRsyslog(`module(load="imtcp") input(type="imtcp" port="${port}" address="127.0.0.1")`, port);
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${port}`, rfc: 3164 });

  await sink.send(batchOf(sink, [outgoing({ body: 'CEF:0|a|b|c|d|e|3|msg=x' })]), never());
  await sink.flush?.(never());

  const [line] = await until(
    () => receiver.lines(),
    (found) => found.length > 0,
  );
  const read = JSON.parse(line ?? '{}') as Record<string, string>;
  expect({
    host: read['hostname'],
    app: read['app-name'],
    pid: read['procid'],
    msg: read['msg'],
    time: read['timereported']?.slice(4, 19),
  }).toEqual({
    host: 'host1',
    app: 'penstock',
    pid: String(process.pid),
    msg: ' CEF:0|a|b|c|d|e|3|msg=x',
    time: '-11-21T09:45:00',
  });
});

const syslogNgSources = [
  {
    name: 'syslog() with octet counting',
    scheme: 'tcp',
    framing: 'octet_counting',
    conf: (port: number) => `syslog(ip(127.0.0.1) port(${port}) transport("tcp"));`,
  },
  {
    name: 'network() with line feeds',
    scheme: 'tcp',
    framing: 'lf',
    conf: (port: number) => `network(ip(127.0.0.1) port(${port}) transport("tcp") flags(syslog-protocol));`,
  },
  {
    name: 'syslog() over TLS',
    scheme: 'tls',
    framing: undefined,
    conf: (port: number) =>
      `syslog(ip(127.0.0.1) port(${port}) transport("tls") tls(key-file("${certificates.path('localhost.key')}") cert-file("${certificates.path('localhost.pem')}") ca-file("${certificates.path('ca.pem')}") peer-verify(required-trusted)));`,
  },
  {
    name: 'network() over TLS with line feeds',
    scheme: 'tls',
    framing: 'lf',
    conf: (port: number) =>
      `network(ip(127.0.0.1) port(${port}) transport("tls") flags(syslog-protocol) tls(key-file("${certificates.path('localhost.key')}") cert-file("${certificates.path('localhost.pem')}") peer-verify(optional-untrusted)));`,
  },
] as const;

for (const { name, scheme, framing, conf } of syslogNgSources) {
  it.skipIf(syslogNg === undefined)(`reaches syslog-ng's ${name} field by field (${howToInstall})`, async () => {
    const port = await freePort();
    await using receiver = await startSyslogNg(conf(port), port);
    const client = { cert_file: certificates.path('client.pem'), key_file: certificates.path('client.key') };
    await using sink = await openSink(syslog, {
      address: `${scheme}://localhost:${port}`,
      max_message: '64KiB',
      ...(framing === undefined ? {} : { framing }),
      ...(scheme === 'tls' ? { tls: { ...tlsFiles, ...client } } : {}),
    });

    await sink.send(batchOf(sink, events), never());
    await sink.flush?.(never());

    const lines = await until(
      () => receiver.lines(),
      (found) => found.length >= events.length,
    );
    const read = lines.map((line) => JSON.parse(line) as Dumped & { readonly sdata: string });
    expect(read.map(({ sdata: _sdata, ...rest }) => ({ ...rest, time: rest.time.slice(0, 23) }))).toEqual(expected);
    expect(read.map(({ sdata }) => sdata)).toEqual(expectedSd);
  });
}

it.skipIf(rsyslogd === undefined || !rsyslogHas('imrelp'))(
  `loses nothing over RELP while rsyslog is killed (${howToInstall})`,
  async () => {
    const port = await freePort();
    await using receiver = await startRsyslog(
      `module(load="imrelp") input(type="imrelp" port="${port}" address="127.0.0.1" maxDataSize="128k")`,
      port,
    );
    await using sink = await openSink(syslog, { address: `relp://127.0.0.1:${port}` });
    const all = numbered(4000);
    let open = all;
    let rounds = 0;
    let begun = 0;
    const kills = (async () => {
      for (let kill = 0; kill < 3; kill += 1) {
        const before = receiver.lines().length;
        await until(
          () => receiver.lines().length,
          (count) => count > before + 100 || open.length === 0,
        );
        begun += 1;
        await receiver.restart();
      }
    })();

    while (open.length > 0) {
      // A fast sender would be done before the first kill: what it has sent arrives.
      if (open.length <= 2000) await until(() => begun > 0);
      rounds += 1;
      const batch = open.slice(0, 200);
      const verdicts = (await sink.send(batchOf(sink, batch), never())) as Verdicts;
      const kinds = kindsOf(verdicts, batch.length);
      const accepted = new Set(batch.filter((_, index) => kinds[index] === 'accept').map(({ uid }) => uid));
      open = open.filter(({ uid }) => !accepted.has(uid));
      if (accepted.size === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await kills;

    const seen = await until(
      () => new Set(receiver.lines().flatMap((line) => /uid=\\\\?"(e\d+)/.exec(line)?.[1] ?? [])),
      (uids) => uids.size === all.length,
    );
    expect(seen).toEqual(new Set(all.map(({ uid }) => uid)));
    expect(rounds).toBeGreaterThan(20);
  },
);

for (const scheme of ['tcp', 'tls'] as const) {
  const isThere = rsyslogd !== undefined && (scheme === 'tcp' || rsyslogHas('lmnsd_gtls'));
  it.skipIf(!isThere)(
    `loses nothing over ${scheme} while rsyslog is killed, by sending the window again (${howToInstall})`,
    async () => {
      const port = await freePort();
      const secure = scheme === 'tls' ? ' streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon"' : '';
      await using receiver = await startRsyslog(
        `module(load="imtcp"${secure}) input(type="imtcp" port="${port}" address="127.0.0.1")`,
        port,
        scheme === 'tls' ? drivers : '',
      );
      await using sink = await openSink(syslog, {
        address: `${scheme}://localhost:${port}`,
        max_message: '64KiB',
        framing: 'octet_counting',
        ...(scheme === 'tls' ? { tls: tlsFiles } : {}),
      });
      const queue = numbered(5000);
      const settling = new Set<Promise<void>>();
      let kills = 0;
      let isKilling = false;

      while (queue.length > 0 || settling.size > 0) {
        const batch = queue.splice(0, 100);
        if (batch.length === 0) {
          await sink.flush?.(never());
          await Promise.all(settling);
          continue;
        }
        const answer = await sink.send(batchOf(sink, batch), never());
        // As `deliver` does: what is not sent comes again.
        const settle = async (): Promise<void> => {
          const kinds = kindsOf(isPending(answer) ? await answer.pending : answer, batch.length);
          queue.push(...batch.filter((_, index) => kinds[index] !== 'sent'));
        };
        const settled = settle();
        settling.add(settled);
        void settled.then(() => settling.delete(settled));
        if (!isPending(answer)) await new Promise((resolve) => setTimeout(resolve, 20));
        // A fast sender would be done before the first kill: what it has sent arrives.
        if (kills === 0 && queue.length <= 4000) await until(() => receiver.lines().length > 800);
        if (kills < 3 && !isKilling && receiver.lines().length > (kills + 1) * 800) {
          isKilling = true;
          kills += 1;
          void receiver.restart().then(() => {
            isKilling = false;
          });
        }
      }

      const seen = await until(
        () => new Set(receiver.lines().flatMap((line) => /uid=\\\\?"(e\d+)/.exec(line)?.[1] ?? [])),
        (uids) => uids.size === 5000,
      );
      expect(seen.size).toBe(5000);
      expect(kills).toBeGreaterThan(0);
    },
  );
}
