
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

// Makes an element of HTML. Text is set as text, never as markup: names in it are hostile.
function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const count = (number) => number.toLocaleString("en-US");
const words = (name) => name.replaceAll("_", " ");

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "-";
  if (seconds < 10) return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(2)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
  const two = (number) => String(number).padStart(2, "0");
  if (!minutes) return `${whole} s`;
  return hours ? `${count(hours)} h ${two(minutes % 60)} min` : `${minutes} min ${two(whole % 60)} s`;
}

function clock(seconds) {
  const at = new Date(data.start + seconds * 1000).toISOString();
  return `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`;
}
