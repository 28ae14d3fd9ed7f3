"""What this package takes from scikit-learn, loaded together.

Two threads that load different parts of scikit-learn at once can meet its modules half made; behind one module the
second thread waits for the first.
"""

from sklearn import datasets
from sklearn.decomposition import KernelPCA
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import enet_path, ridge_regression
from sklearn.svm import SVC

__all__ = ["SVC", "KernelPCA", "KernelRidge", "datasets", "enet_path", "ridge_regression"]
