import { once } from 'node:events';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { type SimulatedPulsar, startPulsar } from '../../src/simulator/index.ts';

const topic = 'acme/default/audit';
const consumer = '/consumer/persistent/acme/default/audit/penstock?subscriptionType=Failover';
const header = { authorization: 'Bearer jwt' };

async function start(idleMs = 300_000): Promise<SimulatedPulsar> {
  const { clock } = systemSeams();
  const pulsar = await startPulsar({ clock, random: seededRandom(1), ports: [0, 0], tokens: new Set(['jwt']), idleMs });
  pulsar.subscribe(topic, 'penstock');
  return pulsar;
}

interface Frame {
  readonly messageId: string;
  readonly payload: string;
  readonly redeliveryCount: number;
}

/** A client that keeps the frames; resolves once it is open. */
async function connect(url: string, headers: Record<string, string> = {}): Promise<{ client: WebSocket; frames: Frame[] }> {
  const client = new WebSocket(url, { headers });
  const frames: Frame[] = [];
  client.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString('utf8')) as Frame));
  await once(client, 'open');
  return { client, frames };
}

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const client = new WebSocket(url, { headers });
  client.on('error', () => undefined);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }];
  client.terminate();
  return response.statusCode;
}

const framesReach = async (client: WebSocket, frames: readonly Frame[], count: number): Promise<void> => {
  while (frames.length < count) await once(client, 'message');
};

it('sends what fits into the receiver queue and goes on with each acknowledgement', async () => {
  await using pulsar = await start();
  const ids = ['one', 'two', 'three'].map((text) => pulsar.publish(topic, text));

  const { client, frames } = await connect(`${pulsar.headerUrl}${consumer}&receiverQueueSize=2`, header);
  await framesReach(client, frames, 2);
  const stalled = pulsar.subscribe(topic, 'penstock').inFlight;
  client.send(JSON.stringify({ messageId: ids[0] }));
  await framesReach(client, frames, 3);

  expect(stalled).toBe(2);
  expect(frames.map(({ messageId }) => messageId)).toEqual(ids);
  expect(Buffer.from(frames[2]?.payload ?? '', 'base64').toString()).toBe('three');
  expect(pulsar.acknowledged.map(({ id }) => id)).toEqual([ids[0]]);
});

it('sends again after a restart what was not acknowledged', async () => {
  await using pulsar = await start();
  pulsar.publish(topic, 'one');
  const first = await connect(`${pulsar.headerUrl}${consumer}`, header);
  await framesReach(first.client, first.frames, 1);

  await pulsar.stop();
  await pulsar.start();
  const second = await connect(`${pulsar.headerUrl}${consumer}`, header);
  await framesReach(second.client, second.frames, 1);

  expect(second.frames[0]).toEqual({ ...first.frames[0], redeliveryCount: 1 });
});

it('takes the token from the header at one address and from the query at the other', async () => {
  await using pulsar = await start();
  const { client: byHeader } = await connect(`${pulsar.headerUrl}${consumer}`, header);
  const { client: byQuery } = await connect(`${pulsar.queryUrl}${consumer}&token=jwt`);

  const refused = [
    await statusOf(`${pulsar.headerUrl}${consumer}&token=jwt`),
    await statusOf(`${pulsar.queryUrl}${consumer}`, header),
    await statusOf(`${pulsar.headerUrl}${consumer.replace('/audit/', '/nope/')}`, header),
    await statusOf(`${pulsar.headerUrl}${consumer.replace('Failover', 'Exclusive')}`, header),
  ];

  expect([byHeader.readyState, byQuery.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
  expect(refused).toEqual([401, 401, 404, 409]);
});

it('closes a connection from which nothing comes', async () => {
  await using pulsar = await start(50);
  const { client } = await connect(`${pulsar.headerUrl}${consumer}`, header);

  const [code] = (await once(client, 'close')) as [number];

  expect(code).toBe(1001);
});
