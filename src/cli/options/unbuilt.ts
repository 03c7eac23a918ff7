/** Options that skopeo has and we don't yet: whoever gives one must not believe that it did something. */
import { RegistrySyncError } from '../../base/errors.ts';
import type { OptionSpec } from '../command.ts';

export const SIGNING_OPTIONS = {
  'sign-by': { type: 'string', hidden: true, describe: 'key to sign with' },
  'sign-by-sigstore': { type: 'string', hidden: true, describe: 'file of signing parameters' },
  'sign-by-sigstore-private-key': { type: 'string', hidden: true, describe: 'key to sign with' },
  'sign-by-sq-fingerprint': { type: 'string', hidden: true, describe: 'key to sign with' },
  'sign-passphrase-file': { type: 'string', hidden: true, describe: 'passphrase of the key' },
} as const satisfies Record<string, OptionSpec>;

export const UNBUILT_OPTIONS = {
  ...SIGNING_OPTIONS,
  'sign-identity': { type: 'string', hidden: true, describe: 'what the signature says is signed' },
  'encryption-key': { type: 'strings', hidden: true, describe: 'key to encrypt with' },
  'encrypt-layer': { type: 'strings', hidden: true, describe: 'layers to encrypt' },
  'decryption-key': { type: 'strings', hidden: true, describe: 'key to decrypt with' },
} as const satisfies Record<string, OptionSpec>;

/** @throws {RegistrySyncError} `UNSUPPORTED` that names those that are given. */
export function refuseUnbuilt(values: Readonly<Record<string, unknown>>): void {
  const given = Object.keys(UNBUILT_OPTIONS).filter((name) => {
    const value = values[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined;
  });
  if (given.length === 0) return;
  const names = given.map((name) => `--${name}`).join(', ');
  const message = `${names}: signing and encryption are not supported yet, and nothing was copied`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

/** Commands of skopeo that are known, so that who writes them is not told of a typing error. */
export const UNBUILT_COMMANDS: Readonly<Record<string, string>> = {
  'standalone-sign': 'signing is not supported yet, and no signature was written',
  'standalone-verify': 'signatures are not checked yet: this one was not',
  layers: 'was given up by skopeo too: write copy … dir:PATH',
};
