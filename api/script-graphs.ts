import type { z } from '@hono/zod-openapi';
import { checkScript, type Script, type ScriptProblem } from '../domain/script.ts';
import { parseTemplate, templateFields } from '../domain/template.ts';
import { ApiError } from './errors.ts';
import type { GraphSchema } from './schemas/scripts.ts';

export type Graph = z.infer<typeof GraphSchema>;

/** What a body says, as a script; the schema has checked its form, and absent is absent. */
export function toScript(graph: Graph): Script {
  return JSON.parse(JSON.stringify(graph)) as Script;
}

/** A stored graph, whose form and content were checked when it was saved. */
export function readGraph(graph: unknown): Script & Graph {
  return graph as Script & Graph;
}

/**
 * Everything wrong with a script. Which fields exist is known only beside a list, so any well-formed
 * name passes here.
 */
export function findScriptProblems(script: Script): ScriptProblem[] {
  const fields = Object.values(script.steps).flatMap((step) => {
    const parsed = parseTemplate(step.text);
    return parsed.ok ? templateFields(parsed.template) : [];
  });
  return checkScript(script, fields);
}

/** The script of a body that may be saved; throws when it has errors. */
export function acceptScript(graph: Graph): Script {
  const script = toScript(graph);
  const errors = findScriptProblems(script).filter((problem) => problem.severity === 'error');
  if (errors.length === 0) return script;
  throw new ApiError('script-problems', `The script has ${errors.length} problem(s).`, {
    errors: errors.map(({ path, message }) => ({ field: path, message })),
  });
}
