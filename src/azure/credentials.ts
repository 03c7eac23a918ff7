/**
 * From who we are in Azure to what its registries take: an Entra ID token, changed at the registry
 * for a refresh token, which then asks for access tokens as any identity token does.
 *
 * Source: Azure/acr docs, AAD-OAuth.md; @azure/identity 4.
 */
import type { TokenCredential } from '@azure/core-auth';
import {
  AzureCliCredential,
  DefaultAzureCredential,
  EnvironmentCredential,
  ManagedIdentityCredential,
  WorkloadIdentityCredential,
} from '@azure/identity';

import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { onOneLine, shown } from '../base/shown.ts';
import type { Send } from '../http/send.ts';
import { audiencesFor, type AzureCloud } from '../registry/azure-clouds.ts';
import { AZURE_TOKEN_USER, identityToken, type Credentials } from '../registry/credentials.ts';
import { readJson, textIn } from '../registry/json.ts';
import { responseError } from '../registry/response-error.ts';

/** Where an identity is looked for. */
export type AzureCredentialKind = 'default' | 'workload' | 'managed' | 'env' | 'cli';

export interface AzureIdentity {
  readonly kind: AzureCredentialKind;
  /** `host[:port]` of the registry that gets the token, and nobody else. */
  readonly registry: string;
  readonly cloud: AzureCloud;
  /** Whether the cloud was named: else AZURE_AUTHORITY_HOST may say another. */
  readonly isCloudGiven: boolean;
  /** One request; neither authorised nor redirected. */
  readonly send: Send;
  readonly hide: (secret: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_SHOWN = 400;

/**
 * The registry's refresh token for an identity, asked for anew at each call.
 *
 * @throws {RegistrySyncError} `UNAUTHORIZED` when there is no such identity, or it may not in.
 */
export async function azureCredentials(identity: AzureIdentity): Promise<Credentials> {
  const from = `the ${identity.kind} credential of Azure`;
  let failure: unknown;
  // A registry may refuse tokens that are for the resource manager, and an old one all others.
  for (const audience of audiencesFor(identity.registry, identity.cloud, identity.isCloudGiven)) {
    try {
      const token = await entraToken(audience, identity);
      const refreshToken = await exchange(token, identity, from);
      return identityToken(AZURE_TOKEN_USER, refreshToken, from);
    } catch (error) {
      throwIfAborted(identity.signal);
      if (!(error instanceof RegistrySyncError) || error.code !== 'UNAUTHORIZED') throw error;
      failure ??= error;
    }
  }
  throw failure;
}

function credentialFor({ kind, cloud, isCloudGiven, env }: AzureIdentity): TokenCredential {
  const { authorityHost } = cloud;
  const options = isCloudGiven || cloud.name !== 'public' ? { authorityHost } : {};
  switch (kind) {
    case 'workload':
      return new WorkloadIdentityCredential(options);
    case 'managed':
      return new ManagedIdentityCredential({
        ...options,
        ...(env.AZURE_CLIENT_ID ? { clientId: env.AZURE_CLIENT_ID } : {}),
      });
    case 'env':
      return new EnvironmentCredential(options);
    case 'cli':
      return new AzureCliCredential();
    default:
      return new DefaultAzureCredential(options);
  }
}

async function entraToken(audience: string, identity: AzureIdentity): Promise<string> {
  const { kind, hide, signal } = identity;
  try {
    const credential = credentialFor(identity); // throws where variables are missing
    const token = await credential.getToken(`${audience}/.default`, { abortSignal: signal });
    if (token === null) throw new Error('it gave no token');
    hide(token.token);
    return token.token;
  } catch (cause) {
    throwIfAborted(signal);
    const said = shown(onOneLine((cause as Error).message), MAX_SHOWN);
    const message = `Azure gives no token for --azure-credential ${kind}: ${said}`;
    throw new RegistrySyncError('UNAUTHORIZED', message, { cause });
  }
}

/** Changes a token of Entra ID for a refresh token of the registry. */
async function exchange(
  token: string,
  { registry, send, hide, signal }: AzureIdentity,
  from: string,
): Promise<string> {
  const url = new URL(`https://${registry}/oauth2/exchange`);
  const form = new URLSearchParams({
    grant_type: 'access_token',
    service: registry,
    access_token: token,
  });
  const response = await send({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
    gather: MAX_ANSWER_BYTES,
    signal,
  });
  const what = `${registry} and ${from}`;
  if (response.status !== 200) throw await responseError({ method: 'POST', url }, response, what);
  const refreshToken = textIn((await readJson(response, MAX_ANSWER_BYTES, what)).refresh_token);
  if (refreshToken === undefined) {
    throw new RegistrySyncError('PROTOCOL', `${what}: the answer has no refresh_token`);
  }
  hide(refreshToken);
  return refreshToken;
}
