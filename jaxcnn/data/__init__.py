"""Data sets as NumPy arrays: `load` finds or downloads one, `read_idx` reads one file."""

from jaxcnn.data._load import Dataset as Dataset
from jaxcnn.data._load import load as load
from jaxcnn.data.idx import read_idx as read_idx
