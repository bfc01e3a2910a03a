// What comes before an answer: 100, 102 and 103, asked for or not.
import net, { type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import tls from 'node:tls';
import { afterAll, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import type { HttpClientSettings } from '../../src/http/client.ts';
import { openHttpClient } from '../../src/http/index.ts';
import { makeCertificates } from './certificates.ts';
import { listen, openProxy } from './servers.ts';

const certificates = makeCertificates();
afterAll(() => certificates[Symbol.dispose]());

const goOn = 'HTTP/1.1 100 Continue\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** Answers each request with these pieces, each of which leaves by itself; counts connections. */
function answering(pieces: readonly string[]): { readonly onSocket: (socket: Socket) => void; readonly count: () => number } {
  let connections = 0;
  const answer = async (socket: Socket): Promise<void> => {
    for (const piece of pieces) {
      await new Promise((sent) => socket.write(piece, sent));
      // What is written at once would arrive at once.
      await new Promise((passed) => setTimeout(passed, 3));
    }
  };
  const onSocket = (socket: Socket): void => {
    connections += 1;
    let text = '';
    socket.setNoDelay().on('data', (chunk) => {
      text += chunk.toString();
      if (!text.endsWith('body!')) return;
      text = '';
      void answer(socket);
    });
  };
  return { onSocket, count: () => connections };
}

/** The bodies of so many requests, one after the other. */
async function ask(server: Server, scheme: string, times: number, settings: Partial<HttpClientSettings> = {}): Promise<string[]> {
  await using listening = await listen(server);
  await using http = await openHttpClient({ userAgent: 'x', ...settings }, systemSeams(), {});
  const url = new URL(`${scheme}://localhost:${listening.port}/`);
  const bodies: string[] = [];
  for (let time = 0; time < times; time += 1) {
    const answer = await http.request({ method: 'POST', url, body: 'body!', timeoutMs: 5000, maxBytes: 1000 });
    bodies.push(`${answer.status} ${answer.body.toString()}`);
    // undici frees the connection after it has told us of the answer.
    await setImmediate();
  }
  return bodies;
}

it.each([
  ['with the answer', [`${goOn}${ok}`]],
  ['before the answer', [goOn, ok]],
  ['byte by byte', `${goOn}${ok}`.split('')],
  ['several times', [goOn, `${goOn}HTTP/1.1 102 Processing\r\n\r\n`, ok]],
  ['with headers, of HTTP/1.0', ['HTTP/1.0 100 Go on\r\nserver: x\r', '\n\r\nHTTP/1.1 ', ok.slice(9)]],
  ['with hints', [`${goOn}HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n`, ok]],
])('a 100 that nobody asked for changes nothing: %s', async (_name, pieces) => {
  const { onSocket, count } = answering(pieces);

  const bodies = await ask(net.createServer(onSocket), 'http', 3);

  expect(bodies).toEqual(['200 ok', '200 ok', '200 ok']);
  expect(count()).toBe(1);
});

it('leaves what an answer says of it alone', async () => {
  const { onSocket } = answering([`HTTP/1.1 200 OK\r\ncontent-length: ${goOn.length}\r\n\r\n`, goOn]);

  expect(await ask(net.createServer(onSocket), 'http', 1)).toEqual([`200 ${goOn}`]);
});

it('is passed over inside of TLS and of a tunnel', async () => {
  const keys = { cert: certificates.read('localhost.pem'), key: certificates.read('localhost.key') };
  await using proxy = await openProxy();
  const settings = { tls: { ca_file: certificates.path('ca.pem') } };
  const { onSocket } = answering([goOn, ok]);

  const direct = await ask(tls.createServer(keys, onSocket), 'https', 2, settings);
  const tunnelled = await ask(tls.createServer(keys, onSocket), 'https', 2, {
    ...settings,
    proxy: `http://127.0.0.1:${proxy.port}`,
  });

  expect([direct, tunnelled]).toEqual([
    ['200 ok', '200 ok'],
    ['200 ok', '200 ok'],
  ]);
});

it('is no answer', async () => {
  const { onSocket } = answering([goOn]);

  const asked = ask(
    net.createServer((socket) => {
      onSocket(socket);
      // After the request, which is answered first.
      socket.on('data', (chunk) => {
        if (chunk.toString().endsWith('body!')) setTimeout(() => socket.end(), 20);
      });
    }),
    'http',
    1,
  );

  await expect(asked).rejects.toMatchObject({ code: 'PEN_HTTP_RESET' });
});
