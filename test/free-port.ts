import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that a system gives to whoever asks for any, servers and connections alike: none of them comes between. */
const [first, last] = [10_000, 32_000] as const;

/** A port for a server that wants its number before it starts, or again after it ended. */
export async function freePort(): Promise<number> {
  const port = randomInt(first, last);
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return await freePort();
  }
  server.close();
  await once(server, 'close');
  return port;
}
