// Colours and weights of terminals (SGR) as classes; every other escape sequence is left out.

const ESCAPES = /\u001b(?:\[([0-9;:]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_]|\[?[0-9;:?]*$)/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const PLAIN = Object.freeze({ colour: "", bold: false, dim: false, italic: false, underline: false, on: false });

export const plain = PLAIN;

/** Leave escape sequences out. */
export function stripped(text) { return text.includes("\u001b") ? text.replace(ESCAPES, "") : text; }

/** Take a line apart: gives pieces of text with their style, and the style after it. */
export function styled(text, style) {
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(ESCAPES)) {
    if (found.index > at) pieces.push([text.slice(at, found.index), style]);
    if (found[2] === "m") style = after(style, found[1]);
    at = found.index + found[0].length;
  }
  if (at < text.length) pieces.push([text.slice(at), style]);
  return [pieces, style];
}

export function classes(style) {
  if (style === PLAIN) return "";
  return [style.colour && `ansi-${style.colour}`, style.bold && "ansi-bold", style.dim && "ansi-dim", style.italic && "ansi-italic",
    style.underline && "ansi-underline", style.on && "ansi-on"].filter(Boolean).join(" ");
}

function after(style, codes) {
  let next = { ...style };
  const numbers = codes.split(/[;:]/).map((code) => Number(code || 0));
  for (let at = 0; at < numbers.length; at += 1) {
    const code = numbers[at];
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code >= 30 && code <= 37) next.colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) next.colour = COLOURS[code - 90];
    else if (code === 39) next.colour = "";
    else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) next.on = true;
    else if (code === 49) next.on = false;
    else if (code === 38 || code === 48) {  // one of 256 colours, or of all: the nearest of ours
      const [name, used] = wide(numbers.slice(at + 1));
      if (code === 38) next.colour = name;
      else next.on = true;
      at += used;
    }
  }
  return Object.keys(PLAIN).every((key) => next[key] === PLAIN[key]) ? PLAIN : next;
}

function wide(numbers) {
  if (numbers[0] === 5) {
    const index = numbers[1] ?? 0;
    if (index < 16) return [COLOURS[index % 8], 2];
    if (index >= 232) return [index < 244 ? "black" : "white", 2];
    const cube = index - 16;
    return [nearest(Math.floor(cube / 36) / 5, (Math.floor(cube / 6) % 6) / 5, (cube % 6) / 5), 2];
  }
  if (numbers[0] === 2) return [nearest((numbers[1] ?? 0) / 255, (numbers[2] ?? 0) / 255, (numbers[3] ?? 0) / 255), 4];
  return ["", 0];
}

function nearest(red, green, blue) {
  return COLOURS[(red > .5 ? 1 : 0) + (green > .5 ? 2 : 0) + (blue > .5 ? 4 : 0)];
}
