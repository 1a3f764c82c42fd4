import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import type { Media, Specification } from './specification.js';

/** Checks values against schemas of a specification. */
export function validatorOf(specification: Specification) {
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });
  ajvFormats.default(ajv);
  ajv.addSchema({ ...specification, $id: 'https://spec.example/' });
  const compiled = new Map<string, ValidateFunction>();
  return (media: Media, value: unknown) => {
    const rooted = JSON.stringify(media.schema).replaceAll('"#/', '"https://spec.example/#/');
    const validate = compiled.get(rooted) ?? ajv.compile(JSON.parse(rooted) as object);
    compiled.set(rooted, validate);
    validate(value);
    return validate.errors ?? [];
  };
}
