import { describeAnswer, exchange } from '../exchange.ts';
import type { ProbeReport, Verdict } from '../sink.ts';
import { fill } from './preset.ts';
import type { Sending } from './send.ts';

/**
 * Proves what can be proved without delivering an event: the way there, the token where one is minted, the credentials where the
 * receiver has a request that stores nothing.
 */
export async function probeHttp(sending: Sending, signal: AbortSignal): Promise<ProbeReport> {
  const { authorizer, context, preset, options, url } = sending;
  const authorization = await authorizer.authorize(signal);
  if ('failed' in authorization) return failed([wordsOf(authorization.failed)], authorization.failed);
  const findings =
    options.auth?.oauth2 === undefined && options.auth?.google_service_account === undefined ? [] : ['access token granted'];
  const { probe } = preset;
  const target = probe === undefined ? url : new URL(`${baseOf(options.url ?? url.href)}${fill(probe.path, options)}`);
  const sent = await exchange(
    context.http,
    {
      method: probe?.method ?? 'GET',
      url: target,
      headers: {
        ...options.headers,
        ...(probe?.body === undefined ? {} : { 'content-type': preset.contentType }),
        ...authorization.headers,
      },
      body: probe?.body,
      timeoutMs: context.timeoutMs ?? 30_000,
      maxBytes: 65_536,
      signal,
    },
    true,
  );
  if ('failed' in sent) return failed([...findings, `${target.origin} not reached: ${wordsOf(sent.failed)}`], sent.failed);
  const { status } = sent.response;
  const reached = [...findings, `${target.origin} reached`];
  if (status === 401 || status === 403) {
    const said = describeAnswer(sent.response);
    return { ok: false, findings: [...reached, `credentials refused: ${said}`], fix: 'check "auth" of the sink' };
  }
  if (probe !== undefined && status < 300) return { ok: true, findings: [...reached, 'credentials accepted'] };
  return {
    ok: true,
    findings: [...reached, `a ${probe?.method ?? 'GET'} is answered with ${status}; only the first batch proves more`],
  };
}

/** A base URL without the slash at its end. */
export function baseOf(url: string): string {
  return url.replace(/\/+$/, '');
}

function failed(findings: readonly string[], verdict: Verdict): ProbeReport {
  const fix = verdict.kind === 'hold' ? verdict.fix : 'check host and port of "url", and that the receiver is well';
  return { ok: false, findings, fix };
}

function wordsOf(verdict: Verdict): string {
  return 'reason' in verdict ? verdict.reason : verdict.kind;
}
