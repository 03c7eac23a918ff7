/**
 * Makes tokens, remembers what each is good for, and says so until it expires.
 */
import { createHmac, randomBytes } from 'node:crypto';

import { intersection, parseScopes, type Scope } from './scopes.ts';

export interface User {
  readonly password: string;
  /**
   * What the user may do: `repository:a/*:pull,push`, `registry:catalog:*`, … A name may end in `*`,
   * the action `*` stands for all. Everything unless given.
   */
  readonly may?: readonly string[];
}

/** By name. */
export type Users = Readonly<Record<string, User>>;

export interface TokenOptions {
  readonly users: Users;
  /** What is granted without credentials; unless given, no token is to be had without them. */
  readonly anonymous?: readonly string[];
  /** Refresh tokens that hold from the start, with their users. */
  readonly identityTokens?: Readonly<Record<string, string>>;
  /** Whom tokens are for, as named in challenges; `registry.test` unless given. */
  readonly service?: string;
  /** 300 unless given. `absent`: not said, and then 60 seconds hold, as the specification has it. */
  readonly expiresInSeconds?: number | 'absent';
  /** The field that the token comes in; both unless given. */
  readonly field?: 'token' | 'access_token' | 'both';
  readonly format?: 'opaque' | 'jwt';
  /** What a user is really granted of the scopes that `may` and `anonymous` allow; may add members to them. */
  readonly narrow?: (user: string, scopes: readonly Scope[]) => readonly Scope[];
  /** The status of an answer to a wrong password; 401 unless given, 403 at GitLab. */
  readonly refusedStatus?: number;
  /** The status that POST is answered with, by servers that know only GET. */
  readonly refusePost?: number;
  /** The clock, in ms; real time unless given. */
  readonly now?: () => number;
}

/** An access token and what it is good for. */
export interface Grant {
  readonly token: string;
  readonly user: string;
  readonly service: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number;
}

const EVERYTHING = ['repository:*:*', 'registry:*:*'];
const DEFAULT_LIFE_SECONDS = 300;
const UNSAID_LIFE_SECONDS = 60;
export const DEFAULT_SERVICE = 'registry.test';
/** The user that is no user. */
export const ANONYMOUS = '';

/** Whether these are a user's name and password. */
export function isPasswordOf(users: Users, name: string, password: string): boolean {
  return Object.hasOwn(users, name) && users[name]?.password === password;
}

/** What a user may do. */
export function rightsOf(users: Users, name: string): Scope[] {
  return parseScopes((users[name]?.may ?? EVERYTHING).join(' '));
}

export class TokenIssuer {
  readonly options: TokenOptions;
  readonly #grants = new Map<string, Grant>();
  readonly #identities: Map<string, string>;
  readonly #key = randomBytes(32);

  constructor(options: TokenOptions) {
    this.options = options;
    this.#identities = new Map(Object.entries(options.identityTokens ?? {}));
  }

  get lifeSeconds(): number {
    const { expiresInSeconds = DEFAULT_LIFE_SECONDS } = this.options;
    return expiresInSeconds === 'absent' ? UNSAID_LIFE_SECONDS : expiresInSeconds;
  }

  /** An access token for what is both asked for and allowed, which may be nothing. */
  issue(user: string, service: string, asked: readonly Scope[]): Grant {
    const { users, anonymous = [], narrow = (_, all) => all } = this.options;
    const allowed = user === ANONYMOUS ? parseScopes(anonymous.join(' ')) : rightsOf(users, user);
    const scopes = narrow(user, intersection(asked, allowed));
    const expiresAtMs = this.now() + this.lifeSeconds * 1000;
    const claims = { user, service, scopes, expiresAtMs };
    const grant = { ...claims, token: this.#tokenFor(claims) };
    this.#grants.set(grant.token, grant);
    return grant;
  }

  /** A refresh token, which doesn't expire. */
  issueIdentity(user: string): string {
    const token = `identity-${randomBytes(16).toString('hex')}`;
    this.#identities.set(token, user);
    return token;
  }

  /** The user that a refresh token is of. */
  userOf(identityToken: string): string | undefined {
    return this.#identities.get(identityToken);
  }

  /** What an access token is good for; `undefined` when it is none, or has expired. */
  grantOf(token: string): Grant | undefined {
    const grant = this.#grants.get(token);
    return grant !== undefined && grant.expiresAtMs > this.now() ? grant : undefined;
  }

  now(): number {
    return (this.options.now ?? Date.now)();
  }

  #tokenFor({ user, service, scopes, expiresAtMs }: Omit<Grant, 'token'>): string {
    const id = randomBytes(16).toString('hex');
    if (this.options.format !== 'jwt') return id;
    const claims = {
      iss: 'test',
      sub: user,
      aud: service,
      iat: Math.floor(this.now() / 1000),
      exp: Math.floor(expiresAtMs / 1000),
      jti: id,
      access: scopes,
    };
    const signed = [{ typ: 'JWT', alg: 'HS256' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${signed}.${createHmac('sha256', this.#key).update(signed).digest('base64url')}`;
  }
}
