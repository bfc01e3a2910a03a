// A vendor that answers from a list: undici's mock agent below our own HTTP exchange, so that no request leaves the process.
import { MockAgent } from 'undici';
import { systemClock } from '../../src/base/clock.ts';
import type { HttpClient } from '../../src/http/client.ts';
import { sendRequest } from '../../src/http/send-request.ts';

type Path = string | RegExp | ((path: string) => boolean);

interface Expected {
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly times?: number;
}

interface Replies {
  reply(status: number, body?: string | Buffer | object, headers?: Record<string, string>): void;
}

const clock = systemClock();

/** Expects requests to one origin, each answered as often as `times` says and in order; closing it fails when one of them was never made. */
export class RecordedVendor implements AsyncDisposable {
  readonly http: HttpClient;
  readonly #origin: string;
  readonly #agent = new MockAgent();

  constructor(origin: string, userAgent: string) {
    this.#origin = origin;
    this.#agent.disableNetConnect();
    this.http = {
      request: (request) =>
        sendRequest(
          { ...request, headers: { 'user-agent': userAgent, ...request.headers } },
          {
            dispatcher: this.#agent,
            origin: request.url.origin,
            path: `${request.url.pathname}${request.url.search}`,
            headers: {},
          },
          clock,
        ),
      describeRoute: () => 'recorded',
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  get(path: Path, expected: Expected = {}): Replies {
    return this.#expect('GET', path, expected);
  }

  post(path: Path, expected: Expected = {}): Replies {
    return this.#expect('POST', path, expected);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const unmade = this.#agent.pendingInterceptors().map(({ method, path }) => `${String(method)} ${String(path)}`);
    await this.#agent.close();
    if (unmade.length > 0) throw new Error(`expected and never requested: ${unmade.join(', ')}`);
  }

  #expect(method: 'GET' | 'POST', path: Path, { times = 1, ...expected }: Expected): Replies {
    const interceptor = this.#agent.get(this.#origin).intercept({ method, path, ...expected });
    return {
      reply(status, body = '', headers = {}) {
        const isJson = typeof body === 'object' && !Buffer.isBuffer(body);
        const type = isJson ? { 'content-type': 'application/json' } : {};
        interceptor.reply(status, body, { headers: { ...type, ...headers } }).times(times);
      },
    };
  }
}
