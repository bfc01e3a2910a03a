// Files at hosts other than the API's, such as presigned addresses of S3, GCS or Azure: which hosts, and what they are asked. Our credential goes to none.
import { isLoopback } from '../../base/loopback.ts';
import type { HttpRequest, HttpResponse } from '../../http/client.ts';
import { compileTemplate, type Scope } from '../template.ts';

/** Of a name with a port, characters: the patterns cost more than its length. */
const longestHost = 260;

/** A request to a storage host: the address proves itself, nothing else does. */
export type StoredRequest = HttpRequest & { readonly isStored?: true };

/** The storage hosts of one source. */
interface Storage {
  /** The address where a link leads to one of them; undefined for the API's own, any other, and plain http but to this machine. */
  at(target: unknown, base: URL, api?: string): URL | undefined;
}

/** Compiles `read.storage`; without it no host is one. */
export function compileStorage(patterns: readonly string[] = []): (options: Scope) => Storage {
  const templates = patterns.map((pattern) => compileTemplate(pattern));
  return (options) => {
    const hosts = templates.map((template) => patternOf(template.render(options) ?? ''));
    return {
      at(target, base, api = base.origin) {
        const url = typeof target === 'string' ? URL.parse(target, base.href) : null;
        if (url === null || url.host.length > longestHost || url.origin === api || !isPrivate(url)) return undefined;
        return hosts.some((host) => host.test(url.host)) ? url : undefined;
      },
    };
  };
}

function patternOf(text: string): RegExp {
  const pieces = text
    .toLowerCase()
    .split('*')
    .map((piece) => piece.replaceAll(/[^a-z0-9-]/g, (character) => `\\${character}`));
  return new RegExp(`^${pieces.join('[a-z0-9.-]+')}$`);
}

function isPrivate({ protocol, hostname, username, password }: URL): boolean {
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** Asks a storage host for a file: nothing of the request goes along that could hold a secret. */
export function storedRequest({ timeoutMs, maxBytes, signal }: HttpRequest, url: URL): StoredRequest {
  const plain = { method: 'GET', url, headers: { accept: '*/*' }, timeoutMs, maxBytes, isStored: true } as const;
  return signal === undefined ? plain : { ...plain, signal };
}

/** Redirects that are followed from one request. */
const mostRedirects = 3;

/** Follows redirects that lead to storage hosts; another one is an answer like any other. */
export async function followed(
  request: StoredRequest,
  storage: Storage,
  ask: (request: StoredRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  let [asked, response] = [request, await ask(request)];
  for (let hops = 0; hops < mostRedirects && asked.method === 'GET'; hops += 1) {
    const target = [301, 302, 303, 307, 308].includes(response.status) ? response.headers['location'] : undefined;
    const url = asked.isStored === true ? storage.at(target, asked.url, '') : storage.at(target, asked.url);
    if (url === undefined) return response;
    asked = storedRequest(request, url);
    response = await ask(asked);
  }
  return response;
}
