import { PenstockError } from '../base/errors.ts';
import { compileTemplate, type Scope, type Template } from './template.ts';

/** An address with places for values, of which the host is fixed once the options are known: what a vendor sent never decides where a credential goes. */
interface UrlTemplate {
  /** The origin that these values give; throws PEN_CONFIG_INVALID when they do not give one. */
  origin(scope: Scope): string;
  /** The whole address. Values in it are percent-encoded; throws PEN_FOREIGN_ORIGIN when they would change the origin. */
  render(scope: Scope): URL;
}

/** Compiles the template of a URL: a value at its start is a base address, one in the host a host name, any other is encoded. */
export function compileUrl(text: string): UrlTemplate {
  const { template, host, rest } = cut(text);
  const head = (scope: Scope): URL => {
    const fixed: Scope = (name) => (isFixed(name) ? scope(name) : undefined);
    return template.startsWithValue ? baseOf(rest, fixed) : hostOf(host, fixed);
  };
  return {
    origin: (scope) => head(scope).origin,
    render(scope) {
      const base = head(scope);
      const tail = template.startsWithValue ? restAfterBase(rest, scope) : rest.render(scope, encodeSegment);
      const url = tail === undefined ? null : URL.parse(`${base.href.replace(/\/+$/, '')}${tail}`);
      if (url === null)
        throw new PenstockError('PEN_CONFIG_INVALID', `"${text}" gives no address`, { fix: 'check the options that it names' });
      if (url.origin === base.origin) return url;
      throw new PenstockError('PEN_FOREIGN_ORIGIN', `"${text}" leads to ${url.origin} instead of ${base.origin}`, {
        fix: 'check the options that it names',
      });
    },
  };
}

function cut(text: string): Readonly<Record<'template' | 'host' | 'rest', Template>> {
  const template = compileTemplate(text);
  const hostEnd = template.startsWithValue ? 0 : (/^[a-z]+:\/\/(?:\{\{[^}]*\}\}|[^/{?#])*/i.exec(text)?.[0].length ?? 0);
  return { template, host: compileTemplate(text.slice(0, hostEnd)), rest: compileTemplate(text.slice(hostEnd)) };
}

const isFixed = (name: string): boolean => name.startsWith('options.');

/** A name of which an address makes its host though its value is known only from request to request; undefined when there is none. */
export function looseHostName(text: string): string | undefined {
  const { template, host } = cut(text);
  const names = template.startsWithValue ? template.names.slice(0, 1) : host.names;
  return names.find((name) => !isFixed(name));
}

function baseOf(template: Template, scope: Scope): URL {
  const [first] = template.parts;
  const name = first !== undefined && 'name' in first ? first.name : '';
  const url = URL.parse(scope(name) ?? '');
  const isAddress =
    url !== null &&
    ['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol) &&
    url.username === '' &&
    url.search === '' &&
    url.hash === '';
  if (isAddress) return url;
  throw new PenstockError('PEN_CONFIG_INVALID', 'this is not the address of a service', {
    where: name,
    fix: 'write scheme, host and path, without credentials or a query',
  });
}

function hostOf(template: Template, scope: Scope): URL {
  const text = template.render(scope, (value) => {
    if (/^[a-z0-9.-]+(:\d+)?$/i.test(value)) return value;
    throw new PenstockError('PEN_CONFIG_INVALID', 'this is not a host name', {
      where: template.names.join(', '),
      fix: 'write the host name alone, without scheme and path',
    });
  });
  const url = URL.parse(text ?? '');
  if (url !== null && url.host !== '') return url;
  throw new PenstockError('PEN_CONFIG_INVALID', `${template.names.join(', ')} gives no host`, { fix: 'set it in the options' });
}

function restAfterBase(template: Template, scope: Scope): string | undefined {
  let tail = '';
  for (const part of template.parts.slice(1)) {
    const value = 'text' in part ? part.text : scope(part.name);
    if (value === undefined) return undefined;
    tail += 'text' in part ? value : encodeSegment(value);
  }
  return tail;
}

function encodeSegment(value: string): string {
  // Dots survive percent-encoding, and `..` would climb out of the path.
  if (value === '.' || value === '..' || value === '')
    throw new PenstockError('PEN_CONFIG_INVALID', `"${value}" cannot stand in a path`);
  return encodeURIComponent(value.toWellFormed());
}
