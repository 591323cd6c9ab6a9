// The API's routes from its own description: what they take and give.

const api = await (await fetch("openapi.json")).json();

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A schema as one would write it: names, types, defaults; references are followed. */
function shape(schema, depth = 0) {
  if (!schema) return "";
  if (schema.$ref) return depth > 4 ? "…" : shape(api.components.schemas[schema.$ref.split("/").pop()], depth);
  if (schema.enum || schema.const) return [].concat(schema.enum ?? schema.const).map((v) => JSON.stringify(v)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map((one) => shape(one, depth)).join(" | ");
  if (schema.type === "array") return `[${shape(schema.items, depth + 1)}]`;
  if (!schema.properties) return schema.type ?? "any";
  const pad = "  ".repeat(depth + 1);
  const lines = Object.entries(schema.properties).map(([name, one]) => {
    const optional = schema.required?.includes(name) ? "" : "?";
    return `${pad}${name}${optional}: ${shape(one, depth + 1)}`;
  });
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, route] of Object.entries(methods)) {
    const card = element("article", "answer turn");
    card.append(element("h2", "", `${method.toUpperCase()} ${path}`), element("p", "", route.description));
    const body = route.requestBody?.content?.["application/json"]?.schema;
    if (body) card.append(element("p", "note", "takes"), element("pre", "", shape(body)));
    const reply = Object.entries(route.responses).find(([status]) => status.startsWith("2"));
    const given = reply?.[1].content?.["application/json"]?.schema;
    if (given && Object.keys(given).length) card.append(element("p", "note", "gives"), element("pre", "", shape(given)));
    document.getElementById("routes").append(card);
  }
}
