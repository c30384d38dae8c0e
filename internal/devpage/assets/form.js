// A form for the arguments of a tool, made of its inputSchema. What the schema says is a stranger's
// text: it becomes text, never markup.

// el makes an element: properties are set, "aria-…", "for" and data-… as attributes.
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (/^(aria-|data-|for$|role$|scope$)/.test(name)) node.setAttribute(name, value === true ? "" : value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

let made = 0;

// fields returns nodes for the arguments, and read, which returns them as JSON or undefined after it
// has marked what is wrong.
export function fields(schema) {
  const properties = isObject(schema?.properties) ? Object.entries(schema.properties) : [];
  const required = new Set(Array.isArray(schema?.required) ? schema.required : []);
  if (properties.length === 0) {
    if (schema?.additionalProperties === false || isPlain(schema)) return { nodes: [], read: () => "{}" };
    const all = field("arguments", { type: "object" }, true);
    return { nodes: [all.node], read: () => all.read() };
  }
  const made = properties.map(([name, property]) => [name, field(name, isObject(property) ? property : {}, required.has(name))]);
  return {
    nodes: made.map(([, f]) => f.node),
    read() {
      const parts = [];
      let wrong;
      for (const [name, f] of made) {
        const text = f.read();
        if (text === undefined) wrong ??= f;
        else if (text !== "") parts.push(`${JSON.stringify(name)}:${text}`);
      }
      wrong?.focus();
      return wrong ? undefined : `{${parts.join(",")}}`;
    },
  };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isPlain = (schema) => isObject(schema) && Object.keys(schema).every((key) => ["type", "properties", "$schema", "title", "required", "additionalProperties"].includes(key)) && !schema.additionalProperties;

// field is one argument. read returns its JSON, "" to leave it out, or undefined if it is wrong.
function field(name, property, required) {
  const id = `field-${++made}`;
  const kind = kindOf(property);
  const input = control(kind, property, required);
  input.id = id;
  const hint = el("p", { className: "hint multiline", id: `${id}-hint` }, String(property.description ?? ""));
  const wrong = el("p", { className: "bad", id: `${id}-wrong`, hidden: true });
  input.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
  if (required && kind !== "boolean") input.setAttribute("aria-required", "true");
  const label = el("label", { for: id }, name, " ", el("span", { className: "kind" }, kind === "json" ? typeName(property) + ", as JSON" : kind, required ? "" : ", optional"));
  const check = input.type === "checkbox";
  const node = el("div", { className: check ? "field check" : "field" }, ...(check ? [input, label] : [label, input]), hint, wrong);
  return {
    node,
    focus: () => input.focus(),
    read() {
      const { text, error } = value(kind, input, property, required);
      wrong.textContent = error ?? "";
      wrong.hidden = error === undefined;
      input.setAttribute("aria-invalid", String(error !== undefined));
      return error === undefined ? text : undefined;
    },
  };
}

function kindOf(property) {
  if (Array.isArray(property.enum) && property.enum.length > 0) return "choice";
  const types = [property.type].flat().filter((type) => type !== "null");
  return types.length === 1 && ["string", "number", "integer", "boolean"].includes(types[0]) ? types[0] : "json";
}

const typeName = (property) => [property.type ?? "any"].flat().join(" or ");

function control(kind, property, required) {
  const preset = property.default;
  switch (kind) {
    case "choice": {
      const chosen = property.enum.indexOf(preset);
      const options = property.enum.map((value, i) => el("option", { value: String(i), selected: i === chosen }, typeof value === "string" ? value : JSON.stringify(value)));
      return el("select", {}, required ? undefined : el("option", { value: "" }, "—"), ...options);
    }
    case "boolean":
      if (required) return el("input", { type: "checkbox", checked: preset === true });
      return el("select", {}, el("option", { value: "" }, "—"), ...[true, false].map((value) => el("option", { value: String(value), selected: preset === value }, String(value))));
    case "number":
    case "integer":
      return el("input", { type: "text", inputMode: kind === "integer" ? "numeric" : "decimal", autocomplete: "off", value: preset === undefined ? "" : String(preset) });
    case "string":
      return el(property.maxLength > 200 || property.format === "textarea" ? "textarea" : "input", { autocomplete: "off", spellcheck: false, value: preset === undefined ? "" : String(preset) });
  }
  return el("textarea", { spellcheck: false, value: preset === undefined ? "" : JSON.stringify(preset, null, 2) });
}

function value(kind, input, property, required) {
  const text = input.value;
  switch (kind) {
    case "choice":
      return { text: text === "" ? "" : JSON.stringify(property.enum[Number(text)]) };
    case "boolean":
      return { text: input.type === "checkbox" ? String(input.checked) : text };
    case "string":
      return { text: text === "" && !required ? "" : JSON.stringify(text) };
    case "number":
    case "integer": {
      // As it was typed: JavaScript would round what is beyond 2^53.
      const typed = text.trim();
      if (typed === "" && !required) return { text: "" };
      const form = kind === "integer" ? /^-?(0|[1-9]\d*)$/ : /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
      return form.test(typed) ? { text: typed } : { error: kind === "integer" ? "This must be a whole number." : "This must be a number." };
    }
  }
  if (text.trim() === "") return required ? { error: "This is required." } : { text: "" };
  try {
    JSON.parse(text);
    return { text: text.trim() };
  } catch (error) {
    return { error: `This is not JSON: ${error.message}` };
  }
}
