// A broker on the wire that takes no records: it leads the one partition of each topic, and answers what is produced with the codes it is told.
import net from 'node:net';

/** What becomes of a request with records: a code of the protocol, or nothing but the end of the connection. */
export type Answer = number | 'close';

const apis = { produce: 0, metadata: 3, apiVersions: 18, initProducerId: 22 } as const;
/** The newest versions without the protocol's compact forms. */
const versions: readonly (readonly [api: number, version: number])[] = [
  [apis.produce, 7],
  [apis.metadata, 1],
  [apis.apiVersions, 3],
  [apis.initProducerId, 1],
];

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
const list = (...items: readonly Buffer[]): Buffer => Buffer.concat([int32(items.length), ...items]);

const knownApis = Buffer.concat([
  int16(0),
  Buffer.from([versions.length + 1]),
  ...versions.flatMap(([api, version]) => [
    int16(api),
    int16(api === apis.apiVersions ? 0 : version),
    int16(version),
    Buffer.from([0]),
  ]),
  int32(0),
  Buffer.from([0]),
]);

/** Answers produce requests in this order, the last answer for all that follow; `requests` counts them. */
export async function startWireBroker(
  topic: string,
  answers: readonly Answer[],
): Promise<AsyncDisposable & { readonly address: string; readonly requests: () => number }> {
  let requests = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    let waiting = Buffer.alloc(0);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 4 && waiting.length >= 4 + waiting.readInt32BE()) {
        const end = 4 + waiting.readInt32BE();
        const request = waiting.subarray(4, end);
        waiting = waiting.subarray(end);
        const body = answerTo(request.readInt16BE());
        if (body === undefined) socket.destroy();
        else socket.write(Buffer.concat([int32(4 + body.length), request.subarray(4, 8), body]));
      }
    });
  });
  const port = (): number => (server.address() as net.AddressInfo).port;

  function answerTo(api: number): Buffer | undefined {
    if (api === apis.apiVersions) return knownApis;
    if (api === apis.initProducerId) return Buffer.concat([int32(0), int16(0), int64(7n), int16(0)]);
    if (api === apis.metadata) {
      const partition = Buffer.concat([int16(0), int32(0), int32(1), list(int32(1)), list(int32(1))]);
      const broker = Buffer.concat([int32(1), text('127.0.0.1'), int32(port()), int16(-1)]);
      return Buffer.concat([
        list(broker),
        int32(1),
        list(Buffer.concat([int16(0), text(topic), Buffer.from([0]), list(partition)])),
      ]);
    }
    const answer = answers[Math.min(requests, answers.length - 1)];
    requests += 1;
    if (answer === 'close' || answer === undefined) return undefined;
    const partition = Buffer.concat([int32(0), int16(answer), int64(-1n), int64(-1n), int64(-1n)]);
    return Buffer.concat([list(Buffer.concat([text(topic), list(partition)])), int32(0)]);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `tcp://127.0.0.1:${port()}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
