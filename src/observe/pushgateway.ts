/**
 * Hands metrics to a Pushgateway when a run has ended: nothing may be there to be asked when Prometheus comes by.
 *
 * Source: https://github.com/prometheus/pushgateway/blob/master/README.md, «API»
 */
import { RegistrySyncError } from '../base/errors.ts';
import { redactUrl } from '../base/redact.ts';
import { shown } from '../base/shown.ts';
import { readBody, type Send } from '../http/send.ts';

export interface Push {
  /** As given: without a path of its own the group is made of the labels. */
  readonly url: URL;
  readonly labels: Readonly<Record<string, string>>;
  readonly authorization?: string | undefined;
  readonly contentType: string;
  readonly text: string;
}

const JOB = 'registry-sync';
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * The metrics of the group that have other names stay: so the last success outlives a run that failed.
 *
 * @throws {RegistrySyncError} `UNAVAILABLE` when it is out of reach, `REJECTED` when it refuses them.
 */
export async function push(send: Send, request: Push, signal: AbortSignal): Promise<void> {
  const url = groupUrl(request.url, request.labels);
  const { authorization, contentType, text } = request;
  const response = await send({
    method: 'POST',
    url,
    headers: {
      'content-type': contentType,
      ...(authorization !== undefined && { authorization }),
    },
    body: Buffer.from(text),
    signal,
  });
  const body = await readBody(response, MAX_ANSWER_BYTES, redactUrl(url));
  if (response.status === 200 || response.status === 202) return;
  const said = shown(Buffer.from(body).toString('utf8').trim());
  const message = `${redactUrl(url)}: answered ${response.status}: ${said}`;
  throw new RegistrySyncError('REJECTED', message);
}

/** `/metrics/job/JOB/LABEL/VALUE…`, unless the URL says its own group. */
export function groupUrl(base: URL, labels: Readonly<Record<string, string>>): URL {
  if (/\/metrics\/job\//.test(base.pathname)) return base;
  const url = new URL(base);
  const parts = ['metrics', 'job', JOB, ...Object.entries(labels).flatMap(labelParts)];
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${parts.join('/')}`;
  return url;
}

/** A value with a slash would be taken for two parts even where it is encoded: it goes in base64. */
function labelParts([name, value]: [string, string]): [string, string] {
  if (!value.includes('/')) return [name, encodeURIComponent(value)];
  return [`${name}@base64`, Buffer.from(value).toString('base64url')];
}
