// Whatever the header and the format: a message carries the id by which its copies are found.
import { expect, it } from 'vitest';
import { encodeBody } from '../../src/event/index.ts';
import { joined } from '../../src/sinks/encoded.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { envelopeOf, loadConnector } from '../event/load-connector.ts';
import { openSink, outgoing } from './sink-bench.ts';

const formats = ['ocsf', 'cim', 'ecs', 'cef', 'leef', 'raw'] as const;
const connector = loadConnector('anaconda');
const record = {
  id: 'e428b9f4-b379-405a-a26b-cd4cd97669da',
  action: 'policy_updated',
  created_at: '2026-11-16T05:39:15.099Z',
  description: 'x'.repeat(3000),
};
const envelope = envelopeOf(connector, record);
const mapped = connector.mapper.map(envelope, { source: 'acme', tenant: 't', labels: [], processedTime: 0 });

it.each(
  formats.flatMap((format) =>
    ([5424, 3164] as const).flatMap((rfc) => (['refuse', 'truncate'] as const).map((oversize) => ({ format, rfc, oversize }))),
  ),
)('$format with RFC $rfc and oversize $oversize', async ({ format, rfc, oversize }) => {
  await using sink = await openSink(syslog, { address: 'tcp://127.0.0.1:1', rfc, oversize, max_message: '480B' }, { format });
  const body = encodeBody(format, mapped, { includeRaw: false });

  const message = joined(sink.encode({ ...outgoing({ uid: envelope.uid, body }), event: mapped.event }));

  expect(message).toContain(envelope.uid);
  if (oversize === 'truncate') expect(Buffer.byteLength(message)).toBeLessThanOrEqual(480);
});
