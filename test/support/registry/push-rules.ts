/**
 * Which repositories may be pushed to, where that is not all of them.
 *
 * Sources: observed refusals of ECR (no repository), Harbor (no project), GitLab (no project, or a name
 * too deep).
 */
import type { Call, RegistryState } from './endpoint.ts';
import type { Guard } from './guard.ts';
import { refusal, type Reply } from './reply.ts';
import { scopesFor } from './scopes.ts';

export interface PushRules {
  /** Those that there are, or those below these projects, which may have several components. */
  readonly into: 'existing' | readonly string[];
  /** How many components may follow the project; any number unless given. */
  readonly maxDepth?: number;
  /** `NAME_UNKNOWN`: 404; `denied`: 401 with insufficient_scope. */
  readonly refusal: 'NAME_UNKNOWN' | 'denied';
}

/** The refusal that a push meets by the rules; `undefined` lets it pass, as it does all that is no push. */
export function pushRefusal(state: RegistryState, guard: Guard, call: Call): Reply | undefined {
  const rules = state.behaviour.pushRules;
  const { exchange, name } = call;
  if (rules === undefined || name === '' || !['POST', 'PUT', 'PATCH'].includes(exchange.method)) {
    return undefined;
  }
  const isThere = state.store.repositories.has(name);
  if (rules.into === 'existing' ? isThere : isBelow(rules, rules.into, name)) return undefined;
  if (rules.refusal === 'denied') return guard.deny(exchange, scopesFor(call));
  const message = `The repository with name '${name}' does not exist in the registry`;
  return refusal(404, { code: 'NAME_UNKNOWN', message, detail: { name } });
}

function isBelow(
  { maxDepth = Infinity }: PushRules,
  projects: readonly string[],
  name: string,
): boolean {
  return projects.some((project) => {
    if (name === project) return maxDepth < Infinity; // GitLab: the project itself is a repository
    const rest = name.startsWith(`${project}/`) ? name.slice(project.length + 1) : '';
    return rest !== '' && rest.split('/').length <= maxDepth;
  });
}
