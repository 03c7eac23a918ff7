/**
 * The part of zot's schema that is emulated, and the check of queries against it.
 *
 * Source: zot, pkg/extensions/search/schema.graphql.
 */
import { QueryError, type Field } from './query.ts';

/** Members and their types, without what of them is a list. A type that isn't here has no members. */
const TYPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Query: {
    ImageList: 'PaginatedImagesResult',
    RepoListWithNewestImage: 'PaginatedReposResult',
  },
  PaginatedImagesResult: { Page: 'PageInfo', Results: 'ImageSummary' },
  PaginatedReposResult: { Page: 'PageInfo', Results: 'RepoSummary' },
  PageInfo: { TotalCount: 'Int', ItemCount: 'Int' },
  ImageSummary: {
    RepoName: 'String',
    Tag: 'String',
    Digest: 'String',
    MediaType: 'String',
    Size: 'String',
    LastUpdated: 'Time',
    IsSigned: 'Boolean',
    DownloadCount: 'Int',
    Manifests: 'ManifestSummary',
  },
  ManifestSummary: {
    Digest: 'String',
    ConfigDigest: 'String',
    LastUpdated: 'Time',
    Size: 'String',
    Platform: 'Platform',
  },
  Platform: { Os: 'String', Arch: 'String' },
  RepoSummary: {
    Name: 'String',
    LastUpdated: 'Time',
    Size: 'String',
    NewestImage: 'ImageSummary',
  },
};

/** @throws {QueryError} when a field isn't in the schema, or selects too much or nothing. */
export function checkFields(fields: readonly Field[], type = 'Query'): void {
  const members = TYPES[type] ?? {};
  for (const { name, fields: selected } of fields) {
    const member = Object.hasOwn(members, name) ? members[name] : undefined;
    if (member === undefined) {
      throw new QueryError(`Cannot query field "${name}" on type "${type}".`);
    }
    const isScalar = TYPES[member] === undefined;
    if (isScalar && selected.length > 0) {
      const reason = `since type "${member}" has no subfields`;
      throw new QueryError(`Field "${name}" must not have a selection ${reason}.`);
    }
    if (!isScalar && selected.length === 0) {
      throw new QueryError(
        `Field "${name}" of type "${member}" must have a selection of subfields.`,
      );
    }
    checkFields(selected, member);
  }
}
