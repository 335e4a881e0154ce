"""Canonicalization by libxml2, in two ways, for many documents in one process.

Reads one JSON object a line:
  xml       the document, base64
  apex      which element to canonicalize: its number in document order, the root is 0
  omit      the number of an element below it that is left out with all that it holds, or -1
  prefixes  the names of the PrefixList
  method    0 for exclusive canonicalization, 1 for Canonical XML 1.0, 2 for 1.1
Writes one JSON object a line:
  nodeset   what libxml2 makes of the document itself with a node set, as xmlsec1 asks it to, base64
  lxml      what lxml's own call gives for the element, base64; null where lxml cannot express the question
  error     why there is no answer

lxml drops names that its document does not use before it calls libxml2, "#default" with them, and the attributes of ancestors,
which inclusive canonicalization needs: those questions are answered by nodeset alone. For the others the two ways check each other, since lxml copies the element to a document of its own.
"""

import base64
import ctypes
import ctypes.util
import json
import sys

from lxml import etree

xml2 = ctypes.CDLL(ctypes.util.find_library("xml2") or "libxml2.so.2")


class Node(ctypes.Structure):
    """The head of xmlNode (libxml/tree.h), the same for elements, attributes, text and documents."""


NodePointer = ctypes.POINTER(Node)
Node._fields_ = [
    ("private", ctypes.c_void_p),
    ("type", ctypes.c_int),
    ("name", ctypes.c_char_p),
    ("children", NodePointer),
    ("last", NodePointer),
    ("parent", NodePointer),
    ("next", NodePointer),
]
ELEMENT, ATTRIBUTE, NAMESPACE = 1, 2, 18

IsVisible = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, NodePointer, ctypes.c_void_p)
xml2.xmlReadMemory.restype = ctypes.c_void_p
xml2.xmlReadMemory.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
xml2.xmlDocGetRootElement.restype = NodePointer
xml2.xmlDocGetRootElement.argtypes = [ctypes.c_void_p]
xml2.xmlFreeDoc.argtypes = [ctypes.c_void_p]
xml2.xmlAllocOutputBuffer.restype = ctypes.c_void_p
xml2.xmlAllocOutputBuffer.argtypes = [ctypes.c_void_p]
xml2.xmlOutputBufferGetContent.restype = ctypes.c_void_p
xml2.xmlOutputBufferGetContent.argtypes = [ctypes.c_void_p]
xml2.xmlOutputBufferGetSize.restype = ctypes.c_size_t
xml2.xmlOutputBufferGetSize.argtypes = [ctypes.c_void_p]
xml2.xmlOutputBufferClose.argtypes = [ctypes.c_void_p]
xml2.xmlC14NExecute.argtypes = [
    ctypes.c_void_p, IsVisible, ctypes.c_void_p, ctypes.c_int,
    ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_void_p,
]
MODES = {0: 1, 1: 0, 2: 2}  # our numbers to XML_C14N_EXCLUSIVE_1_0, XML_C14N_1_0, XML_C14N_1_1
NO_NET, NO_WARNING, NO_ERROR, HUGE = 1 << 11, 1 << 6, 1 << 5, 1 << 19


def address(node):
    return ctypes.addressof(node.contents)


def walk(node, stop=0):
    """node and all nodes below it in document order, without the subtree at the address stop."""
    if address(node) == stop:
        return
    yield node
    child = node.contents.children if node.contents.type == ELEMENT else None
    while child:
        yield from walk(child, stop)
        child = child.contents.next


def by_nodeset(case, source):
    doc = xml2.xmlReadMemory(source, len(source), b"urn:case", None, NO_NET | NO_WARNING | NO_ERROR | HUGE)
    if not doc:
        raise ValueError("libxml2 refuses the document")
    try:
        root = xml2.xmlDocGetRootElement(doc)
        elements = [n for n in walk(root) if n.contents.type == ELEMENT]
        omit = address(elements[case["omit"]]) if case["omit"] >= 0 else 0
        visible = {address(n) for n in walk(elements[case["apex"]], omit)}

        def is_visible(_, node, parent):
            # Attributes and namespace declarations are seen where their element is.
            if node and node.contents.type not in (ATTRIBUTE, NAMESPACE):
                return address(node) in visible
            return parent in visible

        names = [p.encode() for p in case["prefixes"]]
        prefixes = (ctypes.c_char_p * (len(names) + 1))(*names, None)
        out = xml2.xmlAllocOutputBuffer(None)
        try:
            if xml2.xmlC14NExecute(doc, IsVisible(is_visible), None, MODES[case["method"]], prefixes, 0, out) < 0:
                raise ValueError("libxml2 refuses to canonicalize")
            return ctypes.string_at(xml2.xmlOutputBufferGetContent(out), xml2.xmlOutputBufferGetSize(out))
        finally:
            xml2.xmlOutputBufferClose(out)
    finally:
        xml2.xmlFreeDoc(doc)


def remove(element):
    """Takes element out of its parent and leaves the text that follows it."""
    parent, before, tail = element.getparent(), element.getprevious(), element.tail or ""
    element.tail = None
    parent.remove(element)
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail


def by_lxml(case, source):
    if "#default" in case["prefixes"] or case["method"] != 0:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, strip_cdata=False)
    elements = list(etree.fromstring(source, parser).iter("*"))
    apex = elements[case["apex"]]
    if case["omit"] >= 0:
        remove(elements[case["omit"]])
    return etree.tostring(apex, method="c14n", exclusive=True, with_comments=False,
                          inclusive_ns_prefixes=case["prefixes"] or None)


def answer(case):
    source = base64.b64decode(case["xml"])
    try:
        return {"nodeset": encode(by_nodeset(case, source)), "lxml": encode(by_lxml(case, source))}
    except (ValueError, IndexError, etree.LxmlError) as e:
        return {"error": f"{type(e).__name__}: {e}"}


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
