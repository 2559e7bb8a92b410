"""`python -m benchmarks.encodings`: the encodings of short texts that this service and other libraries recognise."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import chardet
from charset_normalizer import from_bytes

from assistants.ingestion.readers.encodings import decoded
from assistants.ingestion.readers.errors import Invalid

LENGTHS = (12, 30, 60, 1_000)
"""Characters of the samples; longer ones repeat a text."""

TEXTS: Mapping[str, tuple[str, ...]] = {
    "Grüße aus München. Die Straße führt über die Brücke; schöne Häuser stehen an beiden Ufern.": ("cp1252", "latin-1"),
    "L\u2019été dernier, nous avons visité un château près de la forêt. C\u2019était très agréable.": ("cp1252",),
    "El niño comió mañana. ¿Dónde está la estación? Aquí, señor.": ("cp1252", "latin-1"),
    "La città è più bella perché c'è il sole. Però non è così, né domani né mai.": ("cp1252", "latin-1"),
    "Não há dúvida: a situação é difícil. Amanhã à tarde já não estará cá.": ("cp1252", "latin-1"),
    "Smörgåsbord på ön. Åke äter kött. Rødgrød med fløde på æblegrøden.": ("cp1252", "latin-1"),
    "It\u2019s a \u201cquoted\u201d sentence \u2013 with dashes. The naïve café\u2019s résumé costs 5 €.": ("cp1252",),
    "Name;Stadt;Höhe\nMüller;Köln;12 °C\nGroß;Düsseldorf;5 €\n": ("cp1252",),
    "def f(x):\n    return x + 1\n\n# Länge der Straße\nprint('hello world')\n": ("cp1252", "latin-1"),
    "Zażółć gęślą jaźń. Łódź jest pięknym miastem w środkowej Polsce.": ("cp1250", "iso8859-2"),
    "Příliš žluťoučký kůň úpěl ďábelské ódy, a pak šel domů přes řeku.": ("cp1250", "iso8859-2"),
    "Árvíztűrő tükörfúrógép. Ez egy hosszabb magyar szöveg, amely ékezeteket tartalmaz.": ("cp1250",),
    "Türkçe öğrenmek güzel bir şey, değil mi? İstanbul büyük bir şehir.": ("cp1254",),
    "Съешь же ещё этих мягких французских булок да выпей чаю.": ("cp1251", "koi8-r", "iso8859-5", "cp866"),
    "Київ є столицею України. Це дуже гарне місто біля Дніпра.": ("cp1251", "koi8-u"),
    "Στην Αθήνα, την πρωτεύουσα της Ελλάδας, κάνει ζέστη.": ("cp1253", "iso8859-7"),
    "ירושלים היא בירת ישראל, והיא עיר עתיקה ויפה מאוד.": ("cp1255",),
    "東京は日本の首都です。今日は天気がいいので、公園へ行きましょう。": ("cp932", "euc-jp", "iso2022_jp"),
    "北京是中华人民共和国的首都。今天天气很好,我们去公园吧。": ("gb18030",),
    "臺北是一個美麗的城市,今天天氣很好,我們去公園吧。": ("big5",),
    "서울은 대한민국의 수도입니다. 오늘은 날씨가 좋습니다.": ("cp949",),
}


def _chardet(content: bytes) -> str | None:
    return chardet.detect(content)["encoding"]


def _charset_normalizer(content: bytes) -> str | None:
    best = from_bytes(content).best()
    return best.encoding if best else None


def _of(detect: Callable[[bytes], str | None]) -> Callable[[bytes], str | None]:
    def read(content: bytes) -> str | None:
        encoding = detect(content)
        return content.decode(encoding, errors="replace") if encoding else None

    return read


def _service(content: bytes) -> str | None:
    try:
        return decoded(content)
    except Invalid:
        return None


def samples() -> Iterator[tuple[str, bytes]]:
    """Texts and their bytes, all with characters outside ASCII."""
    for text, encodings in TEXTS.items():
        for length in LENGTHS:
            sample = (text + " ") * (length // len(text) + 1)
            for encoding in encodings:
                content = sample[:length].encode(encoding)
                if not content.isascii() or encoding.startswith("iso2022"):
                    yield sample[:length], content


def main() -> None:
    """Print the table."""
    readers = {"this service": _service, "chardet": _of(_chardet), "charset-normalizer": _of(_charset_normalizer)}
    every = list(samples())
    print(f"{len(every)} texts of {', '.join(map(str, LENGTHS))} characters in {len(TEXTS)} languages and styles.\n")
    print("| | right | refused | wrong |\n| --- | --- | --- | --- |")
    for label, read in readers.items():
        texts = [(text, read(content)) for text, content in every]
        count = Counter("refused" if found is None else "right" if found == text else "wrong" for text, found in texts)
        print(f"| {label} | {count['right']} | {count['refused']} | {count['wrong']} |")


if __name__ == "__main__":
    main()
