/**
 * Whom the registry knows: users with a password, and whoever shows a token of Entra ID.
 */
import type { Entra } from '../entra/entra.ts';
import { readBasic } from '../registry/auth.ts';
import { ANYBODY, EVERYTHING, type Rights } from './rights.ts';
import type { AcrTokens, Identity } from './tokens.ts';

/** A token of the registry's with a scope map, a service principal, or the admin. */
export interface AcrUser {
  readonly password: string;
  /** Everything unless given. */
  readonly rights?: Rights;
}

export interface PeopleOptions {
  /** By name. */
  readonly users?: Readonly<Record<string, AcrUser>>;
  /** Tokens of Entra ID taken as they are, with what they allow. */
  readonly aadTokens?: Readonly<Record<string, Rights>>;
  /** Whose tokens are taken. */
  readonly entra?: Entra;
  /** What its applications may do, by client id; everything unless given. */
  readonly entraRights?: Readonly<Record<string, Rights>>;
  /** `false`: tokens for Azure Resource Manager are not taken, only those for registries. */
  readonly armTokens?: boolean;
  /** Who shows nothing may pull and list. */
  readonly anonymousPull?: boolean;
}

/** The name that goes with a refresh token in place of a password, as `az acr login` has it. */
export const TOKEN_USER = '00000000-0000-0000-0000-000000000000';
const REGISTRY_AUDIENCE = 'https://containerregistry.azure.net';
const ARM_AUDIENCES = new Set([
  'https://management.azure.com',
  'https://management.core.windows.net',
  'https://management.chinacloudapi.cn',
  'https://management.usgovcloudapi.net',
]);

export class People {
  readonly #options: PeopleOptions;
  readonly #tokens: AcrTokens;

  constructor(options: PeopleOptions, tokens: AcrTokens) {
    this.#options = options;
    this.#tokens = tokens;
  }

  anybody(): Identity | undefined {
    return this.#options.anonymousPull ? { subject: '', rights: ANYBODY } : undefined;
  }

  /** Who has this name and password, or refresh token. `registry` is the registry's own name. */
  byPassword(name: string, password: string, registry: string): Identity | undefined {
    if (name === TOKEN_USER) return this.#tokens.identityOf(password, registry);
    const { users = {} } = this.#options;
    const user = Object.hasOwn(users, name) ? users[name] : undefined;
    if (user?.password !== password) return undefined;
    return { subject: name, rights: user.rights ?? EVERYTHING };
  }

  byBasic(header: string | undefined, registry: string): Identity | undefined {
    const basic = readBasic(header);
    return basic && this.byPassword(basic.name, basic.password, registry);
  }

  /** Whose token of Entra ID it is. `tenant`, when given, must be the token's. */
  byAadToken(token: string, tenant: string | null): Identity | undefined {
    const { aadTokens = {}, entra, entraRights = {} } = this.#options;
    const rights = Object.hasOwn(aadTokens, token) ? aadTokens[token] : undefined;
    if (rights !== undefined) return { subject: 'application', rights };
    const holder = entra?.holderOf(token);
    if (holder === undefined || (tenant !== null && tenant !== holder.tenant)) return undefined;
    if (!this.#takes(holder.audience)) return undefined;
    return { subject: holder.clientId, rights: entraRights[holder.clientId] ?? EVERYTHING };
  }

  #takes(audience: string): boolean {
    const bare = audience.replace(/\/+$/, '');
    if (bare === REGISTRY_AUDIENCE) return true;
    return ARM_AUDIENCES.has(bare) && this.#options.armTokens !== false;
  }
}
