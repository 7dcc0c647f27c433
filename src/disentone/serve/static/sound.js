// Waveforms, and who plays: one at a time.

import * as api from "./api.js";
import WaveSurfer from "./vendor/wavesurfer.esm.js";

const nonce = document.querySelector("meta[name=nonce]").content;
const drawn = new Set();
let playing = null;

const colours = () => {
  const style = getComputedStyle(document.documentElement);
  return {
    waveColor: style.getPropertyValue("--wave").trim(),
    progressColor: style.getPropertyValue("--accent").trim(),
    cursorColor: style.getPropertyValue("--ink").trim(),
  };
};

document.documentElement.addEventListener("themechange", () => {
  for (const wave of drawn) wave.setOptions(colours());
});

/** Draw a waveform into an element; nothing of the sound itself is loaded before it plays. */
export function waveform(container, url, { peaks, seconds }, { height = 36, barWidth = 2, plugins = [] } = {}) {
  const media = new Audio();
  media.preload = "none";
  const wave = WaveSurfer.create({
    container, height, media, plugins, url, duration: seconds, peaks: [peaks], normalize: true,
    barWidth, barGap: barWidth / 2, barRadius: 1, cspNonce: nonce, ...colours(),
  });
  drawn.add(wave);
  wave.on("destroy", () => {
    media.pause();
    drawn.delete(wave);
    if (playing === wave) playing = null;
  });
  wave.on("play", () => {
    if (playing !== wave) playing?.pause();
    playing = wave;
  });
  wave.on("error", () => container.dispatchEvent(new CustomEvent("unplayable", { bubbles: true })));
  return wave;
}

/** A sound without a waveform, with the same few methods. */
export function bare(url) {
  const media = new Audio();
  media.preload = "none";
  media.src = url;
  const sound = {
    media,
    isPlaying: () => !media.paused && !media.ended,
    playPause: () => (sound.isPlaying() ? media.pause() : sound.play()),
    pause: () => media.pause(),
    skip: (seconds) => { media.currentTime += seconds; },
    play: () => {
      if (playing !== sound) playing?.pause();
      playing = sound;
      return media.play();
    },
  };
  return sound;
}

/** Keep a play button's look and name in step with its sound. */
export function button(element, name, events) {
  const show = (on) => {
    element.classList.toggle("on", on);
    element.setAttribute("aria-label", `${on ? "Pause" : "Play"} ${name}`);
  };
  show(false);
  for (const [event, on] of [["play", true], ["pause", false], ["finish", false], ["ended", false]]) {
    (events.on ?? events.addEventListener).call(events, event, () => show(on));
  }
}

/** A play button of a sound without a waveform. */
export function bareButton(element, name, url) {
  const player = bare(url);
  button(element, name, player.media);
  element.addEventListener("click", () => player.playPause());
}

export const stop = () => playing?.pause();
