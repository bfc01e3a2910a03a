import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** First segment of the path: the name that the source's `api_url` ends with. */
  readonly name: string;
  readonly body: string;
}

export interface OddVendor extends AsyncDisposable {
  readonly origin: string;
  /** A source that reads audit logs with offset paging from `/<name>` of this server. */
  source(name: string, options?: Readonly<Record<string, unknown>>): Record<string, unknown>;
}

/** Answers with JSON; a string or bytes go out as they are. */
export function answer(response: ServerResponse, body: unknown, status = 200, contentType = 'application/json'): void {
  response.writeHead(status, { 'content-type': contentType });
  response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

/** Answers the token endpoint as the vendor would. */
export function mint({ response }: Asked): void {
  answer(response, { access_token: 'odd-vendor-access-token', token_type: 'Bearer', expires_in: 900 });
}

/** A vendor's API that answers as the test says: `onToken` for its token endpoint, `onPage` for everything else. */
export async function startOddVendor(onPage: (asked: Asked) => void, onToken: (asked: Asked) => void = mint): Promise<OddVendor> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const [, name = ''] = (request.url ?? '').split('/');
      const asked = { request, response, name, body: Buffer.concat(chunks).toString('utf8') };
      if (request.method === 'POST') onToken(asked);
      else onPage(asked);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    source: (name, options = {}) => ({
      connector: 'anaconda',
      options: {
        org_id: `org-${name}`,
        client_id: name,
        client_secret: 'odd-vendor-client-secret',
        api_url: `${origin}/${name}`,
        token_url: `${origin}/${name}/token`,
        ...options,
      },
      schedule: '1s',
      start: '1h',
      window: { overlap: '1m', settle: '1s' },
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
